UPDATE rowferry_checkpoint
    ["0-1-52" "2" "53"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["4" "c3@example.com" "Søren Ærø" "C000000003" "1983-12-23" "{\"news\": false, \"lang\": \"東京\"}" "2026-11-21 09:32:16.628"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["4" "billing" "Straße 3" "東京" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["4" "shipping" "3丁目" "القاهرة" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-53" "2" "54"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["5" "c4@example.com" "Ελένη Παπαδοπούλου" "NULL" "NULL" "{\"news\": true, \"lang\": \"서울\"}" "2026-11-21 09:32:16.628"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["5" "billing" "Straße 4" "서울" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["5" "shipping" "4丁目" "Reykjavík" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-54" "2" "55"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["6" "c5@example.com" "Дмитрий Иванов" "NULL" "1945-10-06" "{\"news\": false, \"lang\": \"São Paulo\"}" "2026-11-21 09:32:16.628"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["6" "billing" "Straße 5" "São Paulo" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["6" "shipping" "5丁目" "København" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-55" "2" "56"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["7" "c6@example.com" "山田 太郎" "C000000006" "1994-03-21" "{\"news\": true, \"lang\": \"القاهرة\"}" "2026-11-21 09:32:16.628"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["7" "billing" "Straße 6" "القاهرة" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["7" "shipping" "6丁目" "Zürich" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-56" "2" "57"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["8" "c7@example.com" "김민준" "NULL" "1947-08-01" "{\"news\": false, \"lang\": \"Reykjavík\"}" "2026-11-21 09:32:16.629"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["8" "billing" "Straße 7" "Reykjavík" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["8" "shipping" "7丁目" "Kraków" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-57" "2" "58"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["9" "c8@example.com" "محمد علي" "NULL" "NULL" "{\"news\": true, \"lang\": \"København\"}" "2026-11-21 09:32:16.629"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["9" "billing" "Straße 8" "København" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["9" "shipping" "8丁目" "Αθήνα" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-58" "2" "59"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["10" "c9@example.com" "שרה כהן" "C000000009" "1945-02-05" "{\"news\": false, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.629"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["10" "billing" "Straße 9" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["10" "shipping" "9丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-59" "2" "60"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["11" "c10@example.com" "अनिता शर्मा" "NULL" "1983-10-10" "{\"news\": true, \"lang\": \"Kraków\"}" "2026-11-21 09:32:16.630"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["11" "billing" "Straße 10" "Kraków" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["11" "shipping" "10丁目" "서울" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-60" "2" "61"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["12" "c11@example.com" "สมชาย ใจดี" "NULL" "1946-01-17" "{\"news\": false, \"lang\": \"Αθήνα\"}" "2026-11-21 09:32:16.630"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["12" "billing" "Straße 11" "Αθήνα" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["12" "shipping" "11丁目" "São Paulo" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-61" "2" "62"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["13" "c12@example.com" "Nguyễn Văn An" "C000000012" "NULL" "{\"news\": true, \"lang\": \"東京\"}" "2026-11-21 09:32:16.630"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["13" "billing" "Straße 12" "東京" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["13" "shipping" "12丁目" "القاهرة" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-62" "2" "63"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["14" "c13@example.com" "🦊 Fox & Söhne" "NULL" "1969-05-22" "{\"news\": false, \"lang\": \"서울\"}" "2026-11-21 09:32:16.630"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["14" "billing" "Straße 13" "서울" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["14" "shipping" "13丁目" "Reykjavík" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-63" "2" "64"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["15" "c14@example.com" "O'Brien \"Q\"" "NULL" "1943-02-21" "{\"news\": true, \"lang\": \"São Paulo\"}" "2026-11-21 09:32:16.630"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["15" "billing" "Straße 14" "São Paulo" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["15" "shipping" "14丁目" "København" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-64" "2" "65"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["16" "c15@example.com" "Ada Lovelace" "C000000015" "1973-12-25" "{\"news\": false, \"lang\": \"القاهرة\"}" "2026-11-21 09:32:16.631"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["16" "billing" "Straße 15" "القاهرة" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["16" "shipping" "15丁目" "Zürich" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-65" "2" "66"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["17" "c16@example.com" "Łukasz Żółć" "NULL" "NULL" "{\"news\": true, \"lang\": \"Reykjavík\"}" "2026-11-21 09:32:16.631"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["17" "billing" "Straße 16" "Reykjavík" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["17" "shipping" "16丁目" "Kraków" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-66" "2" "67"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["18" "c17@example.com" "Müller, Jürgen" "NULL" "1940-01-21" "{\"news\": false, \"lang\": \"København\"}" "2026-11-21 09:32:16.631"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["18" "billing" "Straße 17" "København" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["18" "shipping" "17丁目" "Αθήνα" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-67" "2" "68"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["19" "c18@example.com" "Søren Ærø" "C000000018" "1962-03-12" "{\"news\": true, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.631"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["19" "billing" "Straße 18" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["19" "shipping" "18丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-68" "2" "69"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["20" "c19@example.com" "Ελένη Παπαδοπούλου" "NULL" "1951-02-22" "{\"news\": false, \"lang\": \"Kraków\"}" "2026-11-21 09:32:16.632"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["20" "billing" "Straße 19" "Kraków" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["20" "shipping" "19丁目" "서울" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-69" "2" "70"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["21" "c20@example.com" "Дмитрий Иванов" "NULL" "NULL" "{\"news\": true, \"lang\": \"Αθήνα\"}" "2026-11-21 09:32:16.632"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["21" "billing" "Straße 20" "Αθήνα" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["21" "shipping" "20丁目" "São Paulo" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-70" "2" "71"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["22" "c21@example.com" "山田 太郎" "C000000021" "1997-06-26" "{\"news\": false, \"lang\": \"東京\"}" "2026-11-21 09:32:16.632"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["22" "billing" "Straße 21" "東京" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["22" "shipping" "21丁目" "القاهرة" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-71" "2" "72"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["23" "c22@example.com" "김민준" "NULL" "1981-09-08" "{\"news\": true, \"lang\": \"서울\"}" "2026-11-21 09:32:16.632"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["23" "billing" "Straße 22" "서울" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["23" "shipping" "22丁目" "Reykjavík" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-72" "2" "73"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["24" "c23@example.com" "محمد علي" "NULL" "1971-06-15" "{\"news\": false, \"lang\": \"São Paulo\"}" "2026-11-21 09:32:16.632"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["24" "billing" "Straße 23" "São Paulo" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["24" "shipping" "23丁目" "København" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-73" "2" "74"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["25" "c24@example.com" "שרה כהן" "C000000024" "NULL" "{\"news\": true, \"lang\": \"القاهرة\"}" "2026-11-21 09:32:16.633"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["25" "billing" "Straße 24" "القاهرة" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["25" "shipping" "24丁目" "Zürich" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-74" "2" "75"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["26" "c25@example.com" "अनिता शर्मा" "NULL" "1985-12-19" "{\"news\": false, \"lang\": \"Reykjavík\"}" "2026-11-21 09:32:16.633"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["26" "billing" "Straße 25" "Reykjavík" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["26" "shipping" "25丁目" "Kraków" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-75" "2" "76"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["27" "c26@example.com" "สมชาย ใจดี" "NULL" "1965-07-12" "{\"news\": true, \"lang\": \"København\"}" "2026-11-21 09:32:16.633"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["27" "billing" "Straße 26" "København" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["27" "shipping" "26丁目" "Αθήνα" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-76" "2" "77"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["28" "c27@example.com" "Nguyễn Văn An" "C000000027" "1993-07-14" "{\"news\": false, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.633"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["28" "billing" "Straße 27" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["28" "shipping" "27丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-77" "2" "78"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["29" "c28@example.com" "🦊 Fox & Söhne" "NULL" "NULL" "{\"news\": true, \"lang\": \"Kraków\"}" "2026-11-21 09:32:16.634"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["29" "billing" "Straße 28" "Kraków" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["29" "shipping" "28丁目" "서울" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-78" "2" "79"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["30" "c29@example.com" "O'Brien \"Q\"" "NULL" "1974-08-27" "{\"news\": false, \"lang\": \"Αθήνα\"}" "2026-11-21 09:32:16.634"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["30" "billing" "Straße 29" "Αθήνα" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["30" "shipping" "29丁目" "São Paulo" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-79" "2" "80"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["130" "7" "Leaf 30 🌿"]
UPDATE "categories" SET "parent_id" = ? WHERE "id" IS ? AND "parent_id" IS ? AND "name" IS ?
    ["4" "130" "7" "Leaf 30 🌿"]
UPDATE rowferry_checkpoint
    ["0-1-80" "2" "81"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["566.72" "3.05987626953125" "SKU-005" "6" "Item 5 São Paulo" "566.71" "0x0005FF0080"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["670.81" "1.32044453125" "SKU-007" "6" "Item 7 Reykjavík" "670.80" "0x0007FF0080"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["36.44" "4.41450390625" "SKU-008" "6" "Item 8 København" "36.43" "0x0008FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-81" "2" "82"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["1" "14" "open" "0.00" "2026-07-20 18:38:21.447733" "línea 1\nlínea 2"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["1" "1" "SKU-000" "8" "465.97"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["1" "2" "SKU-011" "2" "264.05"]
UPDATE "orders" SET "total" = ? WHERE "id" IS ? AND "customer_id" IS ? AND "status" IS ? AND "total" IS ? AND "placed_at" IS ? AND "note" IS ?
    ["4255.86" "1" "14" "open" "0.00" "2026-07-20 18:38:21.447733" "línea 1\nlínea 2"]
UPDATE rowferry_checkpoint
    ["0-1-82" "2" "83"]
DELETE FROM "order_items" WHERE "order_id" IS ? AND "line" IS ? AND "sku" IS ? AND "quantity" IS ? AND "price" IS ?
    ["1" "1" "SKU-000" "8" "465.97"]
DELETE FROM "order_items" WHERE "order_id" IS ? AND "line" IS ? AND "sku" IS ? AND "quantity" IS ? AND "price" IS ?
    ["1" "2" "SKU-011" "2" "264.05"]
DELETE FROM "orders" WHERE "id" IS ? AND "customer_id" IS ? AND "status" IS ? AND "total" IS ? AND "placed_at" IS ? AND "note" IS ?
    ["1" "14" "open" "4255.86" "2026-07-20 18:38:21.447733" "línea 1\nlínea 2"]
UPDATE rowferry_checkpoint
    ["0-1-83" "2" "84"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["2" "2" "open" "4973.98" "2026-03-20 07:59:22.293501" "bitte klingeln ☎"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["2" "1" "SKU-033" "4" "613.55"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["2" "2" "SKU-007" "1" "685.94"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["2" "3" "SKU-016" "3" "611.28"]
UPDATE rowferry_checkpoint
    ["0-1-84" "2" "85"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["3" "13" "open" "3531.10" "2026-03-12 00:24:39.440033" "línea 1\nlínea 2"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["3" "1" "SKU-025" "7" "262.42"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["3" "2" "SKU-014" "2" "847.08"]
UPDATE rowferry_checkpoint
    ["0-1-85" "2" "86"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["31" "c36@example.com" "山田 太郎" "C000000036" "NULL" "{\"news\": true, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.637"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["31" "billing" "Straße 36" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["31" "shipping" "36丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-86" "2" "87"]
