package load

// mySQLBooks are the load's own tables; see the package comment.
var mySQLBooks = []string{
	`CREATE TABLE ledger (writer INT NOT NULL, n BIGINT NOT NULL, at DATETIME(6) NOT NULL, PRIMARY KEY (writer, n))`,
	`CREATE TABLE digests (writer INT NOT NULL, tbl VARCHAR(64) COLLATE utf8mb4_bin NOT NULL,
		cnt BIGINT NOT NULL, digest BIGINT NOT NULL, PRIMARY KEY (writer, tbl))`,
	`CREATE TABLE digest_columns (tbl VARCHAR(64) COLLATE utf8mb4_bin NOT NULL, pos INT NOT NULL,
		col VARCHAR(64) COLLATE utf8mb4_bin NOT NULL, fsp INT, PRIMARY KEY (tbl, pos))`,
}

// mySQLTables are created in this order: parents first. No foreign key has an
// action, since rows changed by one are invisible to triggers.
var mySQLTables = []definition{
	{"region", `(id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
		code VARCHAR(12) COLLATE utf8mb4_bin NOT NULL UNIQUE,
		name VARCHAR(60) COLLATE utf8mb4_unicode_ci, area DECIMAL(18,4), ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"customer", `(id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, region_id INT NOT NULL,
		email VARCHAR(80) CHARACTER SET latin1 NOT NULL UNIQUE, name VARCHAR(80), born DATE,
		kind ENUM('person','company','état') NOT NULL DEFAULT 'person', tags SET('new','vip','late','été'),
		flags BIT(12), credit DECIMAL(30,10), ver INT UNSIGNED NOT NULL DEFAULT 0,
		CONSTRAINT customer_region FOREIGN KEY (region_id) REFERENCES region (id))`},
	{"orders", `(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id BIGINT UNSIGNED NOT NULL,
		placed DATETIME(6) NOT NULL, paid TIMESTAMP(3) NULL, span TIME(2), total DECIMAL(12,2),
		doc JSON, note MEDIUMTEXT, ver INT UNSIGNED NOT NULL DEFAULT 0,
		CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customer (id))`},
	{"product", `(sku VARCHAR(40) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, title VARCHAR(120),
		price DECIMAL(10,3), stock INT, shelf INT UNIQUE, made YEAR, picture MEDIUMBLOB,
		ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"item", `(order_id BIGINT NOT NULL, line SMALLINT UNSIGNED NOT NULL,
		sku VARCHAR(40) COLLATE utf8mb4_general_ci NOT NULL, qty INT UNSIGNED NOT NULL, weight DOUBLE,
		ver INT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (order_id, line),
		CONSTRAINT item_order FOREIGN KEY (order_id) REFERENCES orders (id),
		CONSTRAINT item_product FOREIGN KEY (sku) REFERENCES product (sku))`},
	{"tree", `(id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, parent_id INT, name VARCHAR(60),
		ver INT UNSIGNED NOT NULL DEFAULT 0,
		CONSTRAINT tree_parent FOREIGN KEY (parent_id) REFERENCES tree (id))`},
	{"session", `(id BINARY(16) NOT NULL PRIMARY KEY, token VARBINARY(64) NOT NULL UNIQUE, data BLOB,
		seen DATETIME(3), ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"word", `(lang CHAR(2) CHARACTER SET latin1 NOT NULL, word VARCHAR(60) COLLATE utf8mb4_bin NOT NULL,
		uses BIGINT NOT NULL, freq FLOAT, ver INT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (lang, word))`},
	{"place", `(name VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci NOT NULL PRIMARY KEY,
		people MEDIUMINT UNSIGNED, lat DECIMAL(9,6), ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"seat", `(id INT NOT NULL PRIMARY KEY, holder INT NOT NULL UNIQUE,
		label VARCHAR(20) COLLATE utf8mb4_bin NOT NULL UNIQUE, ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"queue", `(pos INT NOT NULL PRIMARY KEY, what VARCHAR(60), ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"wide", `(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, t1 TINYINT, t2 TINYINT UNSIGNED, s1 SMALLINT, m1 MEDIUMINT,
		i1 INT UNSIGNED, b1 BIGINT, f1 FLOAT, d1 DOUBLE, c1 CHAR(10), c2 BINARY(6), x1 TINYTEXT, x2 MEDIUMTEXT,
		x3 LONGBLOB, h1 TIME(6), dt0 DATETIME, ts0 TIMESTAMP NULL, y1 YEAR, ver INT UNSIGNED NOT NULL DEFAULT 0)`},
	{"passport", `(customer_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, number VARCHAR(20) COLLATE utf8mb4_unicode_ci NOT NULL UNIQUE,
		until DATE, ver INT UNSIGNED NOT NULL DEFAULT 0,
		CONSTRAINT passport_customer FOREIGN KEY (customer_id) REFERENCES customer (id))`},
	// Without a key, with identical rows.
	{"journal", `(kind TINYINT NOT NULL, txt VARCHAR(30), amount DECIMAL(8,2), at DATE, KEY (kind))`},
	{"metric", `(k INT, v BINARY(4), b BIT(3), note TEXT, KEY (k))`},
}
