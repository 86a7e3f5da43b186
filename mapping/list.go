package mapping

import (
	"encoding/binary"
)

// A list is slots that are numbered from 0, some of them empty. The last is not.

func listKey(list []byte) []byte { return append([]byte{listNote}, list...) }

func (p slot) key() []byte { return binary.BigEndian.AppendUint64(listKey(p.list), p.at) }

func (s *step) length(list []byte) (uint64, error) {
	data, err := s.notes.Get(listKey(list))
	if data == nil || err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(data), nil
}

// at returns the number in a slot, 0 where it is empty.
func (s *step) at(p slot) (uint64, error) {
	data, err := s.notes.Get(p.key())
	if data == nil || err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(data), nil
}

// enter adds a number to a list.
func (s *step) enter(list []byte, number uint64) (slot, error) {
	n, err := s.length(list)
	if err != nil {
		return slot{}, err
	}
	p := slot{list, n}
	s.notes.Put(p.key(), binary.BigEndian.AppendUint64(nil, number))
	s.notes.Put(listKey(list), binary.BigEndian.AppendUint64(nil, n+1))
	return p, nil
}

// leave empties a slot.
func (s *step) leave(p slot) error {
	s.notes.Put(p.key(), nil)
	before, err := s.length(p.list)
	if err != nil {
		return err
	}
	n := before
	for n > 0 {
		number, err := s.at(slot{p.list, n - 1})
		if err != nil {
			return err
		}
		if number != 0 {
			break
		}
		n--
	}
	switch {
	case n == 0:
		s.notes.Put(listKey(p.list), nil)
	case n < before:
		s.notes.Put(listKey(p.list), binary.BigEndian.AppendUint64(nil, n))
	}
	return nil
}

// members returns the numbers of a list.
func (s *step) members(list []byte) (numbers []uint64, err error) {
	n, err := s.length(list)
	if err != nil {
		return nil, err
	}
	for at := range n {
		number, err := s.at(slot{list, at})
		if err != nil {
			return nil, err
		}
		if number != 0 {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

// first returns the first number of a list, 0 where it is empty.
func (s *step) first(list []byte) (uint64, error) {
	n, err := s.length(list)
	if err != nil {
		return 0, err
	}
	for at := range n {
		number, err := s.at(slot{list, at})
		if number != 0 || err != nil {
			return number, err
		}
	}
	return 0, nil
}
