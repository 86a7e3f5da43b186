package csv

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// date takes YYYY-MM-DD, and zeros for year, month or day as MySQL does.
func date(s string) (text, wrong string) {
	const notOne = "it is not a date as 2026-11-18"
	if len(s) != 10 || s[4] != '-' || s[7] != '-' || !digits(s[:4]+s[5:7]+s[8:]) {
		return "", notOne
	}
	y, _ := strconv.Atoi(s[:4])
	m, _ := strconv.Atoi(s[5:7])
	d, _ := strconv.Atoi(s[8:])
	if m > 12 || d > 31 || m > 0 && d > 0 && d > time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return "", "there is no such day"
	}
	return s, ""
}

// clock takes HH:MM:SS and a fraction of a day, and returns it with fsp digits
// behind the point.
func clock(s string, fsp int) (text, wrong string) {
	const notOne = "its time is not as 13:05:00"
	whole, fraction, point := strings.Cut(s, ".")
	if len(whole) != 8 || whole[2] != ':' || whole[5] != ':' || !digits(whole[:2]+whole[3:5]+whole[6:]) || point && !digits(fraction) {
		return "", notOne
	}
	if whole[:2] > "23" || whole[3:5] > "59" || whole[6:] > "59" {
		return "", "there is no such time of a day"
	}
	return fractional(whole, fraction, fsp)
}

// fractional puts a fraction of seconds of fsp digits behind a time. What would have
// to be rounded is wrong.
func fractional(whole, fraction string, fsp int) (text, wrong string) {
	if len(fraction) > fsp {
		if strings.Trim(fraction[fsp:], "0") != "" {
			return "", fmt.Sprintf("it has more than %d digits of a second", fsp)
		}
		fraction = fraction[:fsp]
	}
	if fsp == 0 {
		return whole, ""
	}
	return whole + "." + fraction + strings.Repeat("0", fsp-len(fraction)), ""
}

// dateTime takes a date and a time, with a space or a T between.
func dateTime(s string, fsp int) (text, wrong string) {
	if len(s) < 19 || s[10] != ' ' && s[10] != 'T' {
		return "", "it is not a date and time as 2026-11-18 13:05:00"
	}
	day, wrong := date(s[:10])
	if wrong != "" {
		return "", wrong
	}
	at, wrong := clock(s[11:], fsp)
	return day + " " + at, wrong
}

// instant takes a date and time in UTC, or with an offset behind it, as Z, +02,
// +0530 or -03:30, and returns it in UTC.
func instant(s string, fsp int) (text, wrong string) {
	at := -1
	if len(s) > 19 {
		if at = strings.LastIndexAny(s[19:], "+-Z"); at >= 0 {
			at += 19
		}
	}
	if at < 0 {
		return dateTime(s, fsp)
	}
	off, ok := offset(s[at:])
	if !ok {
		return "", "its offset from UTC is not as +02:00"
	}
	text, wrong = dateTime(s[:at], fsp)
	if wrong != "" || off == 0 {
		return text, wrong
	}
	const layout = "2006-01-02 15:04:05"
	t, err := time.Parse(layout, text[:19])
	if err != nil || t.Year() == 0 {
		return "", "there is no such day"
	}
	t = t.Add(-off)
	if t.Year() < 1 || t.Year() > 9999 {
		return "", "in UTC its year has not four digits"
	}
	return t.Format(layout) + text[19:], ""
}

// offset reads an offset from UTC.
func offset(s string) (d time.Duration, ok bool) {
	if s == "Z" {
		return 0, true
	}
	body := strings.ReplaceAll(s[1:], ":", "")
	if !digits(body) || s[0] == 'Z' || len(body)%2 != 0 || len(body) > 6 {
		return 0, false
	}
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if len(body) <= 2*i {
			break
		}
		n, _ := strconv.Atoi(body[2*i : 2*i+2])
		if n > 59 || i == 0 && n > 15 {
			return 0, false
		}
		d += time.Duration(n) * unit
	}
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// duration takes a TIME: hours up to 838, minutes and seconds, and a sign.
func duration(s string, fsp int) (text, wrong string) {
	const notOne = "it is not a time as 13:05:00, up to 838:59:59"
	body, negative := strings.CutPrefix(s, "-")
	parts := strings.SplitN(body, ":", 3)
	if len(parts) != 3 {
		return "", notOne
	}
	seconds, fraction, point := strings.Cut(parts[2], ".")
	hours := strings.TrimLeft(parts[0], "0")
	if !digits(parts[0]) || !digits(parts[1]) || !digits(seconds) || len(parts[1]) != 2 || len(seconds) != 2 || point && !digits(fraction) ||
		parts[1] > "59" || seconds > "59" || len(hours) > 3 {
		return "", notOne
	}
	h, _ := strconv.Atoi("0" + hours)
	whole := fmt.Sprintf("%02d:%s:%s", h, parts[1], seconds)
	text, wrong = fractional(whole, fraction, fsp)
	switch {
	case wrong != "":
		return "", wrong
	case h > 838 || whole == "838:59:59" && strings.Trim(fraction, "0") != "":
		return "", notOne
	case negative && strings.Trim(text, "0:.") != "":
		text = "-" + text
	}
	return text, ""
}
