# deepmcat: `make demo` and `make test` do all the set-up they need.
#   make demo    fetch libtorch, build, make a synthetic archive, run the chain on it
#   make test    fetch libtorch, build, run every test
SHELL := /bin/bash
PYTHON ?= python3
RUN ?= runs/demo
ARCHIVE ?= runs/demo-archive
SUBJECTS ?= 97
PREFIX ?= /usr/local

# Python with the packages of tests/requirements.txt, for what users do with our tables and files.
QUERY_PYTHON := target/query-python
export DEEPMCAT_TEST_PYTHONPATH := $(CURDIR)/$(QUERY_PYTHON)
export DEEPMCAT_TEST_PYTHON := $(PYTHON)
# What judges whether everybody can use the pages comes in one of them.
export DEEPMCAT_AXE := $(CURDIR)/$(QUERY_PYTHON)/axe_core_python/axe.min.js
# What draws the study's figure.
STUDY_PYTHON := target/study-python
# What checks the types of the review page.
TYPESCRIPT := target/typescript
# JPEG-LS is decoded by charls, whose build needs cmake; FEATURES= builds without it.
FEATURES ?= deepmcat-ingest/jpeg-ls
CMAKE_WHEEL := target/cmake
export CMAKE := $(CURDIR)/$(CMAKE_WHEEL)/cmake/data/bin/cmake
CARGO_FEATURES := $(if $(FEATURES),--features $(FEATURES))

# Runs tests, shows what they print and counts at the end, skipped ones too.
TEST_LOG := target/test.log
COUNTED = set -o pipefail; $(1) 2>&1 | tee $(TEST_LOG); status=$$?; awk -f tests/count.awk $(TEST_LOG); exit $$status

.PHONY: help setup build install dist try-dist demo test test-narrow lint doc book spell bench study fuzz clean-demo

help:
	@sed -n '1,3s/^# //p' Makefile
	@echo "also: setup [CUDA=1], build [CUDA=1], install [PREFIX=/usr/local], dist, try-dist, test-narrow, lint, doc, book, spell, bench, study, fuzz, clean-demo"

# Another folder than the CPU build's, so that cargo sees the change and links CUDA's part. One of the user's own goes first.
ifneq ($(CUDA),)
ifeq ($(LIBTORCH),)
export LIBTORCH := $(CURDIR)/.libtorch/cuda
WITHOUT := env -u LIBTORCH
endif
endif

setup: $(if $(FEATURES),$(CMAKE_WHEEL)/.done)
	$(WITHOUT) $(PYTHON) scripts/setup_libtorch.py $(if $(CUDA),--cuda)
	@$(PYTHON) scripts/setup_encoder.py || echo "warning: the encoder could not be set up (see above); deepmcat works without it" >&2

$(CMAKE_WHEEL)/.done:
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip --user || \
	  { echo "error: $(PYTHON) has no pip, which fetches cmake for JPEG-LS; hint: install pip (Debian: python3-pip), name" \
	    "another Python by PYTHON=, or build without JPEG-LS by FEATURES=" >&2; exit 1; }
	$(PYTHON) -m pip install --quiet --only-binary=:all: --target $(CMAKE_WHEEL) cmake==4.1.2
	touch $@

# What `deepmcat --version` says; a build from an archive without git has none.
COMMIT = $(shell git describe --always --dirty --abbrev=12 2>/dev/null)

build: setup
	$(if $(COMMIT),DEEPMCAT_COMMIT=$(COMMIT)) cargo build --release --workspace --bins $(CARGO_FEATURES)

install: build
	$(PYTHON) scripts/dist.py --install $(PREFIX) --features "$(FEATURES)"

# One archive that runs on a Linux with neither Rust nor Python. try-dist does so in a bare Debian (root, debootstrap).
dist: build
	$(PYTHON) scripts/dist.py --features "$(FEATURES)"

try-dist: dist
	scripts/try_dist.sh target/dist/deepmcat-*-linux-x86_64.tar.gz

demo: build
	test -d $(ARCHIVE) || target/release/deepmcat synth $(ARCHIVE) --subjects $(SUBJECTS) --format dicom
	test -f $(RUN)/run.toml || target/release/deepmcat init $(ARCHIVE) --run $(RUN) --preset demo
	target/release/deepmcat run $(RUN)
	@echo
	@echo "The tables are in $(RUN): docs/guide/tables.md says what they hold."
	@echo "Open $(RUN)/report.html: the map, the clusters with their images, the figures."
	@echo "Name the clusters by keyboard: target/release/deepmcat review $(RUN)"
	@echo "Which image is in which cluster: $(RUN)/assignments (the highest epoch)."

test: setup $(QUERY_PYTHON)/.done
	cargo build --workspace --bins --tests $(CARGO_FEATURES)
	@$(call COUNTED,cargo test --workspace $(CARGO_FEATURES))

# What computes with tensors once more, with libtorch held to the oldest instructions that it knows: a test that hangs on
# how sums round fails here. WITH="avx2 avx2" for others (of oneDNN and of ATen).
WITH ?= sse41 default
NARROW = ONEDNN_MAX_CPU_ISA=$(word 1,$(WITH)) ATEN_CPU_CAPABILITY=$(word 2,$(WITH)) MKL_ENABLE_INSTRUCTIONS=SSE4_2
test-narrow: setup
	cargo build --workspace --bins --tests $(CARGO_FEATURES)
	@$(call COUNTED,( $(NARROW) cargo test --workspace $(CARGO_FEATURES) --lib --test golden --test embed --test cluster \
	  --test train && $(NARROW) cargo test --workspace $(CARGO_FEATURES) --test it -- chain:: ))

# Where pip fails, the tests go on without, say that they are skipped, and the next `make test` tries again.
$(QUERY_PYTHON)/.done: tests/requirements.txt
	@rm -rf $(QUERY_PYTHON)
	@if $(PYTHON) -m pip install --quiet --target $(QUERY_PYTHON) -r $<; then touch $@; else rm -rf $(QUERY_PYTHON); \
	  echo "warning: $(PYTHON) -m pip could not install the packages of $< (why stands above): tests that need them" \
	    "are skipped; hint: install pip (Debian: python3-pip), or name another Python by PYTHON=" >&2; fi

lint: setup
	cargo fmt --all --check
	@if command -v npm >/dev/null && npm install --prefix $(TYPESCRIPT) --silent --no-fund --no-audit typescript@5.9.3; \
	  then $(TYPESCRIPT)/node_modules/.bin/tsc -p stages/review/jsconfig.json; \
	  else echo "warning: npm or TypeScript is not there: the types of the review page are not checked" >&2; fi
	cargo clippy --workspace --all-targets $(CARGO_FEATURES) -- -D warnings

doc: setup
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps $(CARGO_FEATURES)

# The guide as web pages: target/book/index.html. The first call builds mdBook, some minutes.
MDBOOK_VERSION := 0.5.2
MDBOOK := target/tools/bin/mdbook
book: $(MDBOOK)
	$(MDBOOK) build docs/guide
	@echo "Open target/book/index.html"

$(MDBOOK):
	cargo install --debug --root target/tools --locked --no-default-features mdbook --version $(MDBOOK_VERSION)

# Spelling of all pages; docs/words.txt has the words of this field.
spell:
	scripts/spell.sh

bench: build
	$(PYTHON) benches/epoch_split.py

# Hours: presets over data sets and seeds, with their baselines. STUDY="--sets standard --seeds 1" for a part.
study: build
	$(PYTHON) benches/study.py $(STUDY)
	@test -d $(STUDY_PYTHON) || $(PYTHON) -m pip install --quiet --target $(STUDY_PYTHON) "$$(sed -n '/^matplotlib/s/ .*//p' benches/requirements.txt)"
	PYTHONPATH=$(STUDY_PYTHON) $(PYTHON) benches/study_figure.py

# Ten minutes for each of four targets; FUZZ="60 dicom" for a part.
fuzz: setup
	fuzz/run.sh $(FUZZ)

clean-demo:
	rm -rf $(RUN) $(ARCHIVE)
