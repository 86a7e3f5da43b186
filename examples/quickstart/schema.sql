CREATE TABLE customers (
  id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email       VARCHAR(190) NOT NULL,
  full_name   VARCHAR(120) NOT NULL,
  loyalty_card CHAR(10) NULL,
  born        DATE NULL,
  preferences JSON NULL,
  created_at  TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  UNIQUE KEY customers_email (email),
  UNIQUE KEY customers_card (loyalty_card)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE addresses (
  customer_id INT UNSIGNED NOT NULL,
  kind        ENUM('billing','shipping','pickup') NOT NULL,
  street      VARCHAR(120) NOT NULL,
  city        VARCHAR(80) NOT NULL,
  country     CHAR(2) NOT NULL,
  PRIMARY KEY (customer_id, kind),
  CONSTRAINT addresses_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE categories (
  id        SMALLINT NOT NULL PRIMARY KEY,
  parent_id SMALLINT NULL,
  name      VARCHAR(60) NOT NULL,
  CONSTRAINT categories_parent FOREIGN KEY (parent_id) REFERENCES categories (id)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE products (
  sku         VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  category_id SMALLINT NOT NULL,
  name        VARCHAR(120) NOT NULL,
  price       DECIMAL(10,2) NOT NULL,
  weight_kg   DOUBLE NULL,
  attributes  JSON NULL,
  photo       BLOB NULL,
  CONSTRAINT products_category FOREIGN KEY (category_id) REFERENCES categories (id)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE orders (
  id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  status      ENUM('open','paid','shipped','cancelled') NOT NULL DEFAULT 'open',
  total       DECIMAL(12,2) NOT NULL DEFAULT 0,
  placed_at   DATETIME(6) NOT NULL,
  note        TEXT NULL,
  CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE order_items (
  order_id BIGINT UNSIGNED NOT NULL,
  line     TINYINT UNSIGNED NOT NULL,
  sku      VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NULL,
  quantity SMALLINT UNSIGNED NOT NULL,
  price    DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (order_id, line),
  CONSTRAINT items_order FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARSET=utf8mb4;

CREATE TABLE payments (
  id       BINARY(16) NOT NULL PRIMARY KEY,
  order_id BIGINT UNSIGNED NOT NULL,
  amount   DECIMAL(12,2) NOT NULL,
  paid_on  DATE NOT NULL,
  took     TIME(3) NOT NULL,
  CONSTRAINT payments_order FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARSET=utf8mb4;
