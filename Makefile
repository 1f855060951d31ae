SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := domain ports adapters client entrypoints fakes __init__.py py.typed
TYPING := build/typing/container_tracer
PREFIX ?= /usr/local
IMAGES ?= container-tracer
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
BUILDER ?= $(firstword $(notdir $(shell command -v docker podman buildah)))

.PHONY: all tracer service docker docker_tracer docker_service rootfs install demo docs test bench lint types format lock clean

## all: both roles, in .venv
all: tracer service

## tracer: everything that tracer-node needs, in .venv
tracer: $(VENV)/installed
	$(BIN)/tracer-node --version

## service: everything that tracer-svc needs, in .venv
service: $(VENV)/installed
	$(BIN)/tracer-svc --version

## docker, docker_tracer, docker_service: the images, by docker, podman or buildah
docker: docker_tracer docker_service
docker_tracer: image-tracer-node
docker_service: image-tracer-svc
image-%:
	@test -n "$(BUILDER)" || { echo "an image is built by docker, podman or buildah: none is here" >&2; exit 1; }
	$(BUILDER) build --target $* --tag "$(IMAGES)/$*:$(VERSION)" --file deploy/docker/Dockerfile .

## rootfs: what is in the images, in build/rootfs, without any of these
rootfs: rootfs-tracer-node rootfs-tracer-svc
rootfs-%:
	rm -rf "build/rootfs/$*"
	PYTHON="$(PYTHON)" deploy/docker/build-rootfs $* "build/rootfs/$*"

## install: all programs for this machine, below PREFIX
install:
	scripts/install "$(PREFIX)" "$(PYTHON)"

## demo: trace a throwaway container on this machine's kernel
demo: $(VENV)/installed
	$(BIN)/python -m demo

## docs: the page of all flags and variables, docs/configuration.md
docs: $(VENV)/installed
	$(BIN)/python -m container_tracer.entrypoints.configuration_page

# One more than there are CPUs, of two: many tests wait for something most of their time.
WORKERS ?= 3

## test: every test; as root it also traces the kernel
test: $(VENV)/installed
	scripts/debian zsh fish busybox-static
	command -v kubectl >/dev/null || scripts/debian kubernetes-client
	{ command -v containerd && command -v runc; } >/dev/null || scripts/debian containerd runc
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

## bench: what tracing costs, beside other tools, as ratios within one run; BENCH=quick in 2 minutes
BENCH ?= full
bench: $(VENV)/installed
	$(BIN)/python -m bench $(BENCH)

lint: $(VENV)/installed types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/installed $(TYPING)
	$(BIN)/mypy | sed 's#build/typing/container_tracer/##'

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# mypy cannot follow setuptools' mapping of container_tracer to this folder; it follows links.
$(TYPING): Makefile
	mkdir -p $@
	for p in $(PACKAGES); do ln -sfn ../../../$$p $@/$$p; done
	touch $@

$(VENV)/installed: requirements/dev.txt pyproject.toml
	scripts/venv "$(PYTHON)" $(VENV)
	touch $@

## lock: resolve the dependencies anew
lock:
	scripts/lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
