package cli

// ink colours text, or leaves it alone when it is false.
type ink bool

func (i ink) paint(code, text string) string {
	if !i || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (i ink) bad(text string) string  { return i.paint("31", text) }
func (i ink) good(text string) string { return i.paint("32", text) }
func (i ink) warn(text string) string { return i.paint("33", text) }
func (i ink) dim(text string) string  { return i.paint("2", text) }
func (i ink) bold(text string) string { return i.paint("1", text) }
