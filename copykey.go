package rowferry

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// writeKey returns the values of a key as Chunk.Upto has them: one after the
// other with commas between, each as a letter for its kind and its value, bytes
// and texts in hexadecimal. It is never empty.
func writeKey(key []Value) string {
	parts := make([]string, len(key))
	for i, v := range key {
		switch v.kind {
		case Int:
			parts[i] = "i" + strconv.FormatInt(v.Int(), 10)
		case Uint:
			parts[i] = "u" + strconv.FormatUint(v.Uint(), 10)
		case Float:
			parts[i] = "f" + strconv.FormatUint(math.Float64bits(v.Float()), 16)
		case Text:
			parts[i] = "t" + hex.EncodeToString([]byte(v.Str()))
		case Bytes:
			parts[i] = "b" + hex.EncodeToString([]byte(v.Str()))
		default: // Absent and Null are in no key
			parts[i] = "?"
		}
	}
	return strings.Join(parts, ",")
}

// readKey is the inverse of writeKey.
func readKey(text string) ([]Value, error) {
	parts := strings.Split(text, ",")
	key := make([]Value, len(parts))
	for i, p := range parts {
		v, err := readKeyValue(p)
		if err != nil {
			return nil, fmt.Errorf("the end of a chunk is %q: %w", text, err)
		}
		key[i] = v
	}
	return key, nil
}

func readKeyValue(p string) (Value, error) {
	if p == "" {
		return Value{}, fmt.Errorf("a value is missing")
	}
	switch kind, rest := p[0], p[1:]; kind {
	case 'i':
		n, err := strconv.ParseInt(rest, 10, 64)
		return IntValue(n), err
	case 'u':
		n, err := strconv.ParseUint(rest, 10, 64)
		return UintValue(n), err
	case 'f':
		n, err := strconv.ParseUint(rest, 16, 64)
		return FloatValue(math.Float64frombits(n)), err
	case 't':
		b, err := hex.DecodeString(rest)
		return TextValue(string(b)), err
	case 'b':
		b, err := hex.DecodeString(rest)
		return BytesValue(string(b)), err
	default:
		return Value{}, fmt.Errorf("%q is no kind of value", kind)
	}
}

// keyOf returns the values of a row's key.
func keyOf(r Row, identity []int) []Value {
	key := make([]Value, len(identity))
	for i, o := range identity {
		key[i] = r[o]
	}
	return key
}
