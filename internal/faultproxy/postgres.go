package faultproxy

import (
	"bytes"
	"encoding/binary"
)

// Of PostgreSQL's frontend/backend protocol: codes in the place of a version.
const (
	codeTLS    = 80877103
	codeGSS    = 80877104
	codeCancel = 80877102
)

// postgresHeader is one byte of type and four of length, which counts itself.
const postgresHeader = 5

// headSize is how much of a long message is looked at: it holds the names.
const headSize = 1 << 10

// postgresScanner reads messages. A COMMIT is a simple query, or the execution
// of a portal, which is answered at the next Sync.
type postgresScanner struct {
	buffered []byte // of the client's message that is not whole
	skip     int    // what follows of the client's long message
	starting bool   // until the startup message
	asking   bool   // whether to encrypt; one byte answers
	blinded  bool

	asked, answered int // messages that ReadyForQuery answers, and those answers

	statements, portals map[string]bool // by name, those that are COMMIT
	committing          bool            // one was executed, no Sync has come

	head []byte // of the server's message
	left int    // of its body
}

func (s *postgresScanner) blind() bool { return s.blinded }

func (s *postgresScanner) client(data []byte) (pieces []piece) {
	if s.blinded {
		return []piece{{data: data}}
	}
	if n := min(s.skip, len(data)); n > 0 {
		s.skip -= n
		pieces, data = append(pieces, piece{data: data[:n]}), data[n:]
	}
	rest := append(s.buffered, data...)
	for {
		header := postgresHeader
		if s.starting {
			header = 4
		}
		if len(rest) < header {
			break
		}
		size := header - 4 + int(binary.BigEndian.Uint32(rest[header-4:]))
		if len(rest) < size && (size <= wholeSize || len(rest) < headSize) {
			break
		}
		p := piece{data: rest[:min(size, len(rest))]}
		rest = rest[len(p.data):]
		s.skip = size - len(p.data)
		if s.starting {
			s.startup(p.data)
		} else {
			p.statement = p.data[0] == 'Q' || p.data[0] == 'E'
			p.begins, p.ends = s.message(p.data[0], p.data[postgresHeader:])
		}
		pieces = append(pieces, p)
	}
	s.buffered = append([]byte(nil), rest...) // apart from what the pieces hold
	return pieces
}

func (s *postgresScanner) startup(message []byte) {
	if len(message) < 8 {
		return
	}
	switch binary.BigEndian.Uint32(message[4:]) {
	case codeTLS, codeGSS:
		s.asking = true
	case codeCancel:
	default:
		s.starting = false
		s.asked = 1
	}
}

// message reads a message and reports whether a COMMIT begins or ends with it.
func (s *postgresScanner) message(kind byte, body []byte) (begins, ends bool) {
	first, rest, _ := bytes.Cut(body, []byte{0})
	second, _, _ := bytes.Cut(rest, []byte{0})
	switch kind {
	case 'Q':
		s.asked++
		commit := isCommit(string(first))
		return commit, commit
	case 'P':
		s.statements[string(first)] = isCommit(string(second))
	case 'B':
		s.portals[string(first)] = s.statements[string(second)]
	case 'E':
		begins = s.portals[string(first)] && !s.committing
		s.committing = s.committing || begins
		return begins, false
	case 'S':
		s.asked++
		ends, s.committing = s.committing, false
		return false, ends
	}
	return false, false
}

// server counts ReadyForQuery.
func (s *postgresScanner) server(data []byte) bool {
	if s.asking && len(data) > 0 {
		s.asking = false
		s.blinded = data[0] != 'N' && data[0] != 'E'
		if data[0] == 'N' {
			data = data[1:]
		}
	}
	for len(data) > 0 && !s.blinded {
		if len(s.head) < postgresHeader {
			n := min(postgresHeader-len(s.head), len(data))
			s.head, data = append(s.head, data[:n]...), data[n:]
			if len(s.head) < postgresHeader {
				break
			}
			s.left = int(binary.BigEndian.Uint32(s.head[1:])) - 4
		}
		n := min(s.left, len(data))
		s.left, data = s.left-n, data[n:]
		if s.left == 0 {
			if s.head[0] == 'Z' {
				s.answered++
			}
			s.head = s.head[:0]
		}
	}
	return len(s.head) == 0 && s.answered >= s.asked
}
