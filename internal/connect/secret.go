package connect

import "log/slog"

// Secret is a text that prints, marshals and logs as "***".
type Secret struct{ text string }

// NewSecret returns a secret.
func NewSecret(text string) Secret { return Secret{text} }

const hidden = "***"

// Reveal returns the text. Only what hands it to a driver may call it.
func (s Secret) Reveal() string { return s.text }

// String hides the text.
func (s Secret) String() string { return hidden }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return hidden }

// MarshalText hides the text from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the text from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
