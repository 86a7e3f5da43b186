package testdb

// DataDir is the server's data directory, on the host.
func (s *Server) DataDir() string { return s.data() }
