package cli

import (
	"io"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"
)

// newLogger returns the program's log: text on a terminal, JSON otherwise.
func newLogger(w io.Writer, terminal, color bool, v values) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level := slog.LevelInfo
	switch {
	case v.given("log-level"):
		level = levels[v.text("log-level")]
	case v.on("verbose"):
		level = slog.LevelDebug
	case v.on("quiet"):
		level = slog.LevelWarn
	}
	format := v.text("log-format")
	if format == "text" || format == "" && terminal {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal || !color}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
