package mysql

import (
	"strconv"
	"strings"
)

// server is what a format description says of the log's writer. The zero
// server is unknown: nothing is taken for granted of it.
type server struct {
	mariadb             bool
	version             string // as the log says it
	major, minor, patch int
}

// parseServer reads a version as format descriptions carry it: "9.7.1",
// "8.0.36-log", "10.11.19-MariaDB-log", or "5.5.5-10.6.1-MariaDB", where the
// first number is a disguise for clients that know no 10. What cannot be read
// stays zero.
func parseServer(version string) server {
	s := server{version: version, mariadb: strings.Contains(strings.ToLower(version), "mariadb")}
	numbers := version
	if rest, disguised := strings.CutPrefix(version, "5.5.5-"); disguised && s.mariadb {
		numbers = rest
	}
	for i, dst := range []*int{&s.major, &s.minor, &s.patch} {
		end := 0
		for end < len(numbers) && numbers[end] >= '0' && numbers[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(numbers[:end])
		if err != nil {
			return s
		}
		*dst = n
		numbers = numbers[end:]
		if i < 2 && !strings.HasPrefix(numbers, ".") {
			return s
		}
		numbers = strings.TrimPrefix(numbers, ".")
	}
	return s
}

// since reports whether the server is of this version or newer. An unknown
// version is not.
func (s server) since(major, minor int) bool {
	return s.major > major || s.major == major && s.minor >= minor
}
