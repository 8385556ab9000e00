# `make help` lists what there is; a target's help is the comment beside it.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GORELEASER  := github.com/goreleaser/goreleaser/v2@v2.12.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null)
PKG     := github.com/turnomatico/tmctl/cmd
LDFLAGS := -s -w -X $(PKG).version=$(VERSION) -X $(PKG).commit=$(COMMIT) -X $(PKG).date=$(DATE)

FUZZTIME ?= 30s

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## start a server, find its maximum, prove its numbers, write the report
	go run . demo

.PHONY: build
build: ## build ./tmctl
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o tmctl .

.PHONY: test
test: ## run every test (at most 15 minutes on 2 cores; RUN=<regexp> narrows it)
	@scripts/test

.PHONY: test-faults
test-faults: ## kill, pause, cut off and fill up real servers; the proof judges (at most 25 minutes; RUN=<regexp>)
	@scripts/test-faults

.PHONY: check
check: ## what CI asks beside tests: gofmt, vet, staticcheck, go.mod, known vulnerabilities
	@echo "== gofmt"; out=$$(gofmt -l .) && [ -z "$$out" ] || { echo "run gofmt -w on:" $$out; exit 1; }
	@echo "== go vet"; go vet ./...
	@echo "== staticcheck"; go run $(STATICCHECK) ./...
	@echo "== go mod tidy"; go mod tidy -diff
	@echo "== govulncheck"; scripts/vulncheck

.PHONY: bench
bench: ## measure against peers on this machine (docs/BENCHMARKS.md)
	go run ./bench

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (30s) each
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
		for name in $$(go test -list '^Fuzz' $$dir | grep '^Fuzz'); do \
			echo "== $$dir $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$dir; \
		done; \
	done

.PHONY: golden
golden: ## write the golden files anew; look at git diff afterwards
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

.PHONY: docs
docs: ## write docs/cli.md anew from the commands
	go test ./cmd -run TestCLIPageIsCurrent -update

.PHONY: release-check
release-check: ## check goreleaser.yaml (builds goreleaser from its module)
	go run $(GORELEASER) check

.PHONY: release-try
release-try: ## build the release archives into dist/, publish nothing
	go run $(GORELEASER) release --snapshot --clean --skip=publish
