package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/rowferry/rowferry"
)

// Version and Commit are set by release builds with -ldflags -X. Without
// them the module's own build information is used.
var (
	Version string
	Commit  string
)

func versionCommand() *command {
	return &command{
		name:    "version",
		summary: "print the version of the program and of what it writes",
		example: "rowferry version -o json",
		run:     version,
	}
}

type versionResult struct {
	Version string         `json:"version"`
	Commit  string         `json:"commit"`
	Go      string         `json:"go"`
	Formats versionFormats `json:"formats"`
}

type versionFormats struct {
	Checkpoint int `json:"checkpoint"` // the target's row and the state directory
	JSON       int `json:"json"`       // -o json and exported checkpoints
}

func versionOf() versionResult {
	v := versionResult{Version, Commit, runtime.Version(), versionFormats{rowferry.CheckpointFormat, jsonSchema}}
	info, ok := debug.ReadBuildInfo()
	if ok && v.Version == "" {
		v.Version = info.Main.Version
	}
	if ok && v.Commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	if v.Commit == "" {
		v.Commit = "unknown"
	}
	return v
}

func version(_ context.Context, in *invocation) error {
	v := versionOf()
	if in.json {
		in.result = v
		return nil
	}
	return writeAll(in.stdout, fmt.Sprintf("rowferry    %s\ncommit      %s\ngo          %s\ncheckpoint  format %d\njson        schema %d\n",
		v.Version, v.Commit, v.Go, v.Formats.Checkpoint, v.Formats.JSON))
}
