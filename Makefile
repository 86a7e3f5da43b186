# The two commands: `make quickstart` runs the main job with nothing installed,
# `make test` installs what the tests need and runs them.

GO      ?= go
BIN     := bin/rowferry
QS      := examples/quickstart
LDFLAGS := -s -w

.PHONY: build quickstart test lint soak bench sabotage fuzz servers generate clean help

help:            ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build:           ## build bin/rowferry
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/rowferry

quickstart: build ## replay a recorded shop into a SQLite file
	@mkdir -p $(QS)/out
	@$(BIN) replay --name quickstart --files '$(QS)/binlog/mysql-bin.*' \
	  --target sqlite:$(QS)/out/shop.db --state $(QS)/out/state

servers:         ## install the database servers that make test needs
	@scripts/servers mariadb mysql postgres15 postgres

test: servers    ## install what is needed and run every test
	@scripts/test

lint:            ## formatting, vet and static analysis
	@scripts/lint

soak:            ## long runs; PART=name runs one of them (see CONTRIBUTING.md)
	@scripts/servers
	@$(GO) run ./internal/soak $(PART)

bench: build     ## compare with the databases' own replicas, and copies with other programs'; SHORT=1 is the short form
	@scripts/servers mariadb mysql postgres15
	@scripts/rivals
	@mkdir -p .cache
	@$(GO) build -o .cache/rowbench ./cmd/rowbench
	@.cache/rowbench $(if $(SHORT),-short) $(if $(ROWS),-run '$(ROWS)')

sabotage: servers ## break each promise once and show which test catches it
	@scripts/sabotage

generate:        ## write the generated reference pages again
	@$(GO) generate ./...

clean:           ## remove what the targets above made
	@rm -rf bin $(QS)/out
