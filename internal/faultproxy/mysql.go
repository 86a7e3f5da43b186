package faultproxy

import "encoding/binary"

// Of the MySQL client/server protocol: commands, and flags of the client's first
// packet.
const (
	comQuery       = 0x03
	comStmtPrepare = 0x16
	comStmtExecute = 0x17
	flagSSL        = 1 << 11
	flagCompress   = 1 << 5
	flagZstd       = 1 << 26
)

// mysqlHeader is three bytes of length and one of sequence.
const mysqlHeader = 4

// mysqlScanner reads packets. A command is the client's packet with sequence 0.
type mysqlScanner struct {
	buffered []byte // of the client's packet that is not whole
	skip     int    // what follows of the client's long packet
	greeted  bool   // the client has said its first packet
	blinded  bool

	// The server's packet: its beginning, and what is left of it.
	head    []byte
	left    int
	packets int // since the last command

	preparing bool            // a COMMIT; its number comes in the answer
	prepared  map[uint32]bool // the numbers of prepared COMMITs
}

func (s *mysqlScanner) blind() bool { return s.blinded }

func (s *mysqlScanner) client(data []byte) (pieces []piece) {
	if s.blinded {
		return []piece{{data: data}}
	}
	if n := min(s.skip, len(data)); n > 0 {
		s.skip -= n
		pieces, data = append(pieces, piece{data: data[:n]}), data[n:]
	}
	rest := append(s.buffered, data...)
	for len(rest) >= mysqlHeader && !s.blinded {
		size := mysqlHeader + (int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16)
		if size > len(rest) && (size <= wholeSize || len(rest) == mysqlHeader) {
			break
		}
		p := piece{data: rest[:min(size, len(rest))]}
		rest = rest[len(p.data):]
		s.skip = size - len(p.data)
		var commit bool
		p.statement, commit = s.command(p.data)
		p.begins, p.ends = commit, commit
		pieces = append(pieces, p)
	}
	if s.blinded && len(rest) > 0 {
		pieces, rest = append(pieces, piece{data: rest}), nil
	}
	s.buffered = append([]byte(nil), rest...) // apart from what the pieces hold
	return pieces
}

// command reads a packet and reports whether it runs a statement, and a COMMIT.
func (s *mysqlScanner) command(packet []byte) (statement, commit bool) {
	sequence, payload := packet[3], packet[mysqlHeader:]
	if !s.greeted {
		s.greeted = true
		if len(payload) >= 4 {
			flags := binary.LittleEndian.Uint32(payload)
			// A request for TLS is the first packet cut after its fixed part.
			s.blinded = flags&(flagCompress|flagZstd) != 0 || flags&flagSSL != 0 && len(payload) == 32
		}
		return false, false
	}
	if sequence != 0 || len(payload) == 0 {
		return false, false
	}
	s.packets = 0
	s.preparing = false
	switch payload[0] {
	case comQuery:
		return true, isCommit(string(payload[1:]))
	case comStmtPrepare:
		s.preparing = isCommit(string(payload[1:]))
	case comStmtExecute:
		return true, len(payload) >= 5 && s.prepared[binary.LittleEndian.Uint32(payload[1:])]
	}
	return false, false
}

// prepareAnswer is how much of an answer holds the statement's number: header,
// zero, number.
const prepareAnswer = mysqlHeader + 5

// server counts whole packets. A COMMIT's answer is one.
func (s *mysqlScanner) server(data []byte) bool {
	for len(data) > 0 && !s.blinded {
		if len(s.head) < mysqlHeader {
			n := min(mysqlHeader-len(s.head), len(data))
			s.head, data = append(s.head, data[:n]...), data[n:]
			if len(s.head) < mysqlHeader {
				break
			}
			s.left = int(s.head[0]) | int(s.head[1])<<8 | int(s.head[2])<<16
		}
		n := min(s.left, len(data))
		if room := prepareAnswer - len(s.head); room > 0 {
			s.head = append(s.head, data[:min(room, n)]...)
		}
		s.left, data = s.left-n, data[n:]
		if s.left == 0 {
			s.packet()
		}
	}
	return s.packets > 0 && len(s.head) == 0
}

// packet ends a packet of the server.
func (s *mysqlScanner) packet() {
	if s.preparing && s.packets == 0 && len(s.head) == prepareAnswer && s.head[mysqlHeader] == 0 {
		s.prepared[binary.LittleEndian.Uint32(s.head[mysqlHeader+1:])] = true
	}
	s.head = s.head[:0]
	s.packets++
}
