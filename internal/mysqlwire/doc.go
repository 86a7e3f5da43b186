// Package mysqlwire speaks the client protocol of MySQL and MariaDB: the login,
// which sources and sinks share, and over it a Conn that runs statements.
//
// A Conn writes the parameters of prepared statements straight into packets and
// sends many statements before it reads the answer to the first. Its nouns are
// the Stmt, a prepared statement; the queue of what is not answered; and the
// answer, which is a number of rows or a ServerError. What arrives that is
// neither, nor the rows of a query, is a ProtocolError.
//
// The wire format is that of
// https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
// https://mariadb.com/kb/en/clientserver-protocol/.
package mysqlwire
