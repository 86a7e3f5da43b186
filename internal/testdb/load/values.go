package load

import (
	"fmt"
	"strings"
	"time"
)

// words are in many scripts, and hostile to quoting, trimming and folding.
var words = []string{
	"alpha", "Beta", "Straße", "STRASSE", "naïve", "e\u0301clair", "éclair", "žluťoučký", "кириллица", "ελληνικά",
	"日本語", "中文字符", "한국어", "العربية", "עברית", "ไทย", "हिन्दी", "தமிழ்", "ქართული", "😀", "👩‍👩‍👧‍👦", "𝒳𝒴", "ﬁn",
	"O'Brien", `back\slash`, `"quoted"`, "tab\there", "line\nbreak", "`tick`", "semi;colon", "100%", "_", "",
	"trailing ", " leading", "İstanbul", "ı", "ǅ", "\u200bzero", "NULL", "null", "\x7f", "\x01",
}

// latin are words latin1 can hold.
var latin = []string{"Zürich", "ZÜRICH", "Málaga", "Århus", "Ærø", "Köln", "Koeln", "Nîmes", "São Paulo", "ÿ", "a", "A", "Ä", "ß", "ss", "plain"}

// one reports true once in n times.
func (w *writer) one(n int) bool { return w.rng.IntN(n) == 0 }

// oneOf returns one of the choices.
func oneOf[T any](w *writer, choices []T) T { return choices[w.rng.IntN(len(choices))] }

// orNull returns the value, now and then NULL instead.
func (w *writer) orNull(v any) any {
	if w.one(6) {
		return nil
	}
	return v
}

// unique returns text no other call of any writer returns.
func (w *writer) unique() string {
	w.serial++
	return fmt.Sprintf("%d-%d", w.id, w.serial)
}

// text returns up to n words.
func (w *writer) text(n int) string {
	all := make([]string, w.rng.IntN(n+1))
	for i := range all {
		all[i] = oneOf(w, words)
	}
	return strings.Join(all, " ")
}

// bytes returns up to n bytes, often with zeros at the end.
func (w *writer) bytes(n int) []byte {
	return w.fixedBytes(w.rng.IntN(n + 1))
}

func (w *writer) fixedBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	if n > 0 && w.one(3) {
		b[n-1] = 0
	}
	return b
}

// long returns text of up to about 200 KB once in a hundred times, else a little.
func (w *writer) long() string {
	if w.one(100) {
		return strings.Repeat(oneOf(w, words)+" ", w.rng.IntN(20_000))
	}
	return w.text(8)
}

// decimal returns a number with so many digits before and after the point.
func (w *writer) decimal(before, after int) string {
	var b strings.Builder
	if w.one(3) {
		b.WriteByte('-')
	}
	for range 1 + w.rng.IntN(before) {
		b.WriteByte(byte('0' + w.rng.IntN(10)))
	}
	b.WriteByte('.')
	for range after {
		b.WriteByte(byte('0' + w.rng.IntN(10)))
	}
	return b.String()
}

// moment returns a time between 1970 and 2037, so that a TIMESTAMP holds it.
func (w *writer) moment() time.Time {
	return time.UnixMicro(w.rng.Int64N(2_114_380_800_000_000) + 1_000_000).UTC()
}

func (w *writer) date() string     { return w.moment().Format("2006-01-02") }
func (w *writer) datetime() string { return w.moment().Format("2006-01-02 15:04:05.000000") }

// duration returns a TIME, negative and longer than a day too.
func (w *writer) duration() string {
	sign := oneOf(w, []string{"", "-"})
	return fmt.Sprintf("%s%02d:%02d:%02d.%06d", sign, w.rng.IntN(838), w.rng.IntN(60), w.rng.IntN(60), w.rng.IntN(1_000_000))
}

// json returns a document.
func (w *writer) json() string {
	return fmt.Sprintf(`{"id": %d, "ok": %t, "price": %s, "name": %q, "list": [1, null, {"a": []}, "%s"], "e": 1e%d}`,
		w.rng.Int64(), w.one(2), w.price(), oneOf(w, []string{"x", "Straße", "日本語", "😀"}),
		oneOf(w, []string{"", "é", "b"}), w.rng.IntN(20))
}

// price returns a positive number with two digits after its point.
func (w *writer) price() string { return fmt.Sprintf("%d.%02d", 1+w.rng.IntN(1000), w.rng.IntN(100)) }
