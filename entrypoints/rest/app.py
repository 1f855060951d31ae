"""The Sanic application every REST role is made of."""

from collections.abc import Iterable
from typing import cast

from sanic import Blueprint, Config, Request

from .client_certificates import ClientCertificates
from .context import ApiRequest, App, Context
from .errors import ProblemHandler
from .gate import Gate
from .middleware import install_middleware
from .tracing import TracedApplication

REQUEST_MAX_BYTES = 256 * 1024

REQUEST_HEAD_SECONDS = 20
"""How long the head of a request may take to come; its body may take 60 s."""


def build_app(
    name: str,
    context: Context,
    blueprints: Iterable[Blueprint],
    gate: Gate,
    certificates: ClientCertificates | None = None,
) -> App:
    """Put routes, errors and middleware together; nothing is opened yet.

    `env_prefix` is empty so that no variable of the environment called SANIC_* has a say.
    """
    app: App = TracedApplication(
        name,
        config=Config(
            {
                "AUTO_EXTEND": False,
                "ACCESS_LOG": False,
                "REQUEST_MAX_SIZE": REQUEST_MAX_BYTES,
                "REQUEST_TIMEOUT": REQUEST_HEAD_SECONDS,
                "MOTD": False,
            },
            env_prefix="",
        ),
        ctx=context,
        request_class=cast(type[Request], ApiRequest),
        error_handler=ProblemHandler(),
        configure_logging=False,
    )
    install_middleware(app, gate, certificates)
    for blueprint in blueprints:
        app.blueprint(blueprint)
    return app
