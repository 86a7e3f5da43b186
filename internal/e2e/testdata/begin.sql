UPDATE rowferry_checkpoint
    ["0-1-1" "1" "2"]
CREATE TABLE "customers" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "email" TEXT NOT NULL,
  "full_name" TEXT NOT NULL,
  "loyalty_card" TEXT,
  "born" TEXT,
  "preferences" TEXT,
  "created_at" TEXT NOT NULL
) STRICT
CREATE UNIQUE INDEX "customers_uq_1bcde2cf" ON "customers" ("email")
CREATE UNIQUE INDEX "customers_uq_9ea34b41" ON "customers" ("loyalty_card")
UPDATE rowferry_checkpoint
    ["0-1-2" "1" "3"]
CREATE TABLE "addresses" (
  "customer_id" INTEGER NOT NULL,
  "kind" TEXT NOT NULL,
  "street" TEXT NOT NULL,
  "city" TEXT NOT NULL,
  "country" TEXT NOT NULL,
  PRIMARY KEY ("customer_id", "kind"),
  FOREIGN KEY ("customer_id") REFERENCES "customers" ("id")
) STRICT, WITHOUT ROWID
UPDATE rowferry_checkpoint
    ["0-1-3" "1" "4"]
CREATE TABLE "categories" (
  "id" INTEGER PRIMARY KEY,
  "parent_id" INTEGER,
  "name" TEXT NOT NULL,
  FOREIGN KEY ("parent_id") REFERENCES "categories" ("id")
) STRICT
CREATE INDEX "categories_fk_8c056cd1" ON "categories" ("parent_id")
UPDATE rowferry_checkpoint
    ["0-1-4" "1" "5"]
CREATE TABLE "products" (
  "sku" TEXT NOT NULL,
  "category_id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "price" TEXT NOT NULL,
  "weight_kg" REAL,
  "attributes" TEXT,
  "photo" BLOB,
  PRIMARY KEY ("sku"),
  FOREIGN KEY ("category_id") REFERENCES "categories" ("id")
) STRICT
CREATE INDEX "products_fk_ff4630bc" ON "products" ("category_id")
UPDATE rowferry_checkpoint
    ["0-1-5" "1" "6"]
CREATE TABLE "orders" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "customer_id" INTEGER NOT NULL,
  "status" TEXT NOT NULL,
  "total" TEXT NOT NULL,
  "placed_at" TEXT NOT NULL,
  "note" TEXT,
  FOREIGN KEY ("customer_id") REFERENCES "customers" ("id")
) STRICT
CREATE INDEX "orders_fk_44075cb9" ON "orders" ("customer_id")
UPDATE rowferry_checkpoint
    ["0-1-6" "1" "7"]
CREATE TABLE "order_items" (
  "order_id" INTEGER NOT NULL,
  "line" INTEGER NOT NULL,
  "sku" TEXT,
  "quantity" INTEGER NOT NULL,
  "price" TEXT NOT NULL,
  PRIMARY KEY ("order_id", "line"),
  FOREIGN KEY ("order_id") REFERENCES "orders" ("id")
) STRICT, WITHOUT ROWID
UPDATE rowferry_checkpoint
    ["0-1-7" "1" "8"]
CREATE TABLE "payments" (
  "id" BLOB NOT NULL,
  "order_id" INTEGER NOT NULL,
  "amount" TEXT NOT NULL,
  "paid_on" TEXT NOT NULL,
  "took" TEXT NOT NULL,
  PRIMARY KEY ("id"),
  FOREIGN KEY ("order_id") REFERENCES "orders" ("id")
) STRICT, WITHOUT ROWID
CREATE INDEX "payments_fk_358cdcdd" ON "payments" ("order_id")
UPDATE rowferry_checkpoint
    ["0-1-8" "1" "9"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["1" "NULL" "Everything"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["2" "1" "Books"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["3" "1" "Küche"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["4" "2" "Поэзия"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["5" "4" "俳句"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["6" "3" "Café ☕"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["7" "1" "Old stock"]
UPDATE rowferry_checkpoint
    ["0-1-9" "1" "10"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-000" "3" "Item 0 Zürich" "300.93" "4.8203125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0000FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-10" "1" "11"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-001" "5" "Item 1 Kraków" "205.54" "0.19140625" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0001FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-11" "1" "12"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-002" "3" "Item 2 Αθήνα" "81.04" "2.61328125" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0002FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-12" "1" "13"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-003" "3" "Item 3 東京" "38.89" "0.431640625" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0003FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-13" "1" "14"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-004" "4" "Item 4 서울" "82.40" "4.5791015625" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0004FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-14" "1" "15"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-005" "6" "Item 5 São Paulo" "566.71" "3.0595703125" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0005FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-15" "1" "16"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-006" "3" "Item 6 القاهرة" "432.64" "1.828125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0006FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-16" "1" "17"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-007" "6" "Item 7 Reykjavík" "670.80" "1.3203125" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0007FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-17" "1" "18"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-008" "6" "Item 8 København" "36.43" "4.4140625" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0008FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-18" "1" "19"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-009" "6" "Item 9 Zürich" "207.55" "0.8203125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0009FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-19" "1" "20"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-010" "3" "Item 10 Kraków" "302.83" "2.9287109375" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x000AFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-20" "1" "21"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-011" "2" "Item 11 Αθήνα" "747.38" "3.798828125" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x000BFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-21" "1" "22"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-012" "3" "Item 12 東京" "30.91" "2.572265625" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x000CFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-22" "1" "23"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-013" "6" "Item 13 서울" "884.11" "3.8046875" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x000DFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-23" "1" "24"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-014" "3" "Item 14 São Paulo" "565.03" "1.7666015625" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x000EFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-24" "1" "25"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-015" "2" "Item 15 القاهرة" "324.57" "2.8671875" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x000FFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-25" "1" "26"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-016" "4" "Item 16 Reykjavík" "331.56" "2.9228515625" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0010FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-26" "1" "27"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-017" "5" "Item 17 København" "595.37" "0.185546875" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0011FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-27" "1" "28"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-018" "2" "Item 18 Zürich" "163.80" "0.345703125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0012FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-28" "1" "29"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-019" "6" "Item 19 Kraków" "46.09" "2.7578125" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0013FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-29" "1" "30"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-020" "6" "Item 20 Αθήνα" "338.16" "0.818359375" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0014FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-30" "1" "31"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-021" "3" "Item 21 東京" "436.98" "1.0244140625" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0015FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-31" "1" "32"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-022" "6" "Item 22 서울" "195.48" "4.759765625" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0016FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-32" "1" "33"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-023" "2" "Item 23 São Paulo" "848.54" "4.0400390625" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0017FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-33" "1" "34"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-024" "6" "Item 24 القاهرة" "110.57" "2.0703125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0018FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-34" "1" "35"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-025" "2" "Item 25 Reykjavík" "5.58" "2.1005859375" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0019FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-35" "1" "36"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-026" "2" "Item 26 København" "819.28" "0.6240234375" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x001AFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-36" "1" "37"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-027" "5" "Item 27 Zürich" "457.67" "2.888671875" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x001BFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-37" "1" "38"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-028" "4" "Item 28 Kraków" "28.06" "0.189453125" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x001CFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-38" "1" "39"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-029" "6" "Item 29 Αθήνα" "674.15" "2.4541015625" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x001DFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-39" "1" "40"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-030" "4" "Item 30 東京" "507.96" "4.59375" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x001EFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-40" "1" "41"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-031" "4" "Item 31 서울" "541.27" "4.12109375" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x001FFF0080"]
UPDATE rowferry_checkpoint
    ["0-1-41" "1" "42"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-032" "5" "Item 32 São Paulo" "601.78" "4.3974609375" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0020FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-42" "1" "43"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-033" "4" "Item 33 القاهرة" "65.00" "0.95703125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0021FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-43" "1" "44"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-034" "3" "Item 34 Reykjavík" "577.31" "0.21875" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0022FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-44" "1" "45"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-035" "3" "Item 35 København" "240.83" "1.98046875" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0023FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-45" "1" "46"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-036" "3" "Item 36 Zürich" "677.71" "3.705078125" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0024FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-46" "1" "47"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-037" "5" "Item 37 Kraków" "851.62" "2.86328125" "{\"color\": \"grün\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0025FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-47" "1" "48"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-038" "4" "Item 38 Αθήνα" "380.64" "1.8798828125" "{\"color\": \"青\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0026FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-48" "1" "49"]
INSERT INTO "products" ("sku", "category_id", "name", "price", "weight_kg", "attributes", "photo") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["SKU-039" "6" "Item 39 東京" "586.78" "0.47265625" "{\"color\": \"red\", \"sizes\": [1, 2.50, null], \"héllo\": {\"ok\": true}}" "0x0027FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-49" "1" "50"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["1" "c0@example.com" "Ada Lovelace" "C000000000" "NULL" "{\"news\": true, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.626"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["1" "billing" "Straße 0" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["1" "shipping" "0丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-50" "1" "51"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["2" "c1@example.com" "Łukasz Żółć" "NULL" "1991-06-10" "{\"news\": false, \"lang\": \"Kraków\"}" "2026-11-21 09:32:16.627"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["2" "billing" "Straße 1" "Kraków" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["2" "shipping" "1丁目" "서울" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-51" "1" "52"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["3" "c2@example.com" "Müller, Jürgen" "NULL" "1934-12-25" "{\"news\": true, \"lang\": \"Αθήνα\"}" "2026-11-21 09:32:16.627"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["3" "billing" "Straße 2" "Αθήνα" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["3" "shipping" "2丁目" "São Paulo" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-52" "1" "53"]
