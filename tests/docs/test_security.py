"""What the page on security says of tokens, roles and the audit log is so."""

import json
import re
from pathlib import Path

import pytest
import yaml

from container_tracer.domain.model.access import AccessQuestion, Action, Identity
from container_tracer.domain.model.access_reviews import GROUP, HOOKS, SESSIONS, USE
from container_tracer.domain.model.token_entries import token_entries
from container_tracer.domain.services.reviewed_access import KEEP_NO_SECONDS, KEEP_YES_SECONDS
from container_tracer.entrypoints.rest.app import REQUEST_MAX_BYTES
from container_tracer.entrypoints.server_settings import DEFAULT_REQUEST_RATE
from container_tracer.fakes.kubernetes.access import allows
from container_tracer.fakes.kubernetes.calls import Call

PAGE = (Path(__file__).parents[2] / "docs/security.md").read_text()
TOKENS, ROLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_of_tokens_can_be_used() -> None:
    admin, shop = token_entries(yaml.safe_load(TOKENS), lambda given: given.timestamp())  # type: ignore[attr-defined]
    assert admin.identity == Identity(name="platform-team")
    assert admin.rights(AccessQuestion(action=Action.DELETE)).namespaces == ("*",)
    rights = shop.rights(AccessQuestion(action=Action.CREATE))
    assert (rights.hooks, rights.namespaces) == (("trace_syscalls",), ("shop", "shop-*"))
    assert shop.expires_ns > 0


def test_the_keys_of_a_token_are_described() -> None:
    table = PAGE.partition("| key | meaning |")[2].partition("\n\n")[0]
    described = re.findall(r"^\| ((?:`\w+`(?: or )?)+) \|", table, re.MULTILINE)
    assert re.findall(r"\w+", " ".join(described).replace(" or ", " ")) == [
        *("name", "token", "sha256", "namespaces", "hooks", "actions", "expires")
    ]


def test_the_roles_grant_what_is_asked_for() -> None:
    sessions, hooks = (one["rules"][0] for one in yaml.safe_load_all(ROLES))
    for action in Action:
        call = Call(verb=action, group=GROUP, resource=SESSIONS, namespace="shop")
        assert allows(sessions, call)
    use = Call(verb=USE, group=GROUP, resource=HOOKS, name="trace_syscalls")
    assert allows(hooks, use)
    assert not allows(hooks, Call(verb=USE, group=GROUP, resource=HOOKS, name="trace_exec"))


def test_the_line_of_the_audit_log_is_one() -> None:
    (line,) = re.findall(r'```json\n(\{"event": "audit".*?)```', PAGE, re.DOTALL)
    assert json.loads(line)["who"] == "shop-team"


@pytest.mark.parametrize(
    "said",
    [
        f"a yes for {KEEP_YES_SECONDS:.0f} s, a no for {KEEP_NO_SECONDS:.0f} s",
        f"requests a second ({DEFAULT_REQUEST_RATE})",
        f"at most {REQUEST_MAX_BYTES // 1024} KiB",
    ],
)
def test_its_numbers_are_those_of_the_program(said: str) -> None:
    assert said in PAGE
