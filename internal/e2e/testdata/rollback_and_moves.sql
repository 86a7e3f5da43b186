UPDATE rowferry_checkpoint
    ["0-1-136" "2" "137"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["205.56" "0.19144453316406249" "SKU-001" "5" "Item 1 Kraków" "205.55" "0x0001FF0080"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["595.39" "0.18558398623046876" "SKU-017" "5" "Item 17 København" "595.38" "0x0011FF0080"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["457.69" "2.8892496382617185" "SKU-027" "5" "Item 27 Zürich" "457.68" "0x001BFF0080"]
UPDATE "orders" SET "status" = ? WHERE "id" IS ? AND "customer_id" IS ? AND "status" IS ? AND "total" IS ? AND "placed_at" IS ? AND "note" IS ?
    ["shipped" "22" "3" "paid" "6743.96" "2026-12-25 15:23:40.570740" "NULL"]
UPDATE rowferry_checkpoint
    ["0-1-137" "2" "138"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["32" "21" "open" "0.00" "2026-02-04 11:16:49.139801" "línea 1\nlínea 2"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["32" "1" "SKU-037" "9" "563.90"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["32" "2" "SKU-014" "4" "338.23"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["32" "3" "SKU-038" "3" "63.09"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["32" "4" "SKU-015" "7" "259.04"]
UPDATE "orders" SET "total" = ? WHERE "id" IS ? AND "customer_id" IS ? AND "status" IS ? AND "total" IS ? AND "placed_at" IS ? AND "note" IS ?
    ["8430.57" "32" "21" "open" "0.00" "2026-02-04 11:16:49.139801" "línea 1\nlínea 2"]
UPDATE rowferry_checkpoint
    ["0-1-138" "2" "139"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["33" "3" "open" "4699.66" "2026-08-08 09:21:27.902761" "línea 1\nlínea 2"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["33" "1" "SKU-036" "7" "671.38"]
UPDATE rowferry_checkpoint
    ["0-1-139" "2" "140"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["37" "c90@example.com" "Ada Lovelace" "C000000090" "1977-06-17" "{\"news\": true, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.658"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["37" "billing" "Straße 90" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["37" "shipping" "90丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-140" "2" "141"]
INSERT INTO "categories" ("id", "parent_id", "name") VALUES (?, ?, ?)
    ["191" "7" "Leaf 91 🌿"]
UPDATE "categories" SET "parent_id" = ? WHERE "id" IS ? AND "parent_id" IS ? AND "name" IS ?
    ["1" "191" "7" "Leaf 91 🌿"]
UPDATE rowferry_checkpoint
    ["0-1-141" "2" "142"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["34" "4" "open" "10446.30" "2026-07-17 14:06:58.030313" "NULL"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["34" "1" "SKU-016" "8" "515.97"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["34" "2" "SKU-010" "9" "702.06"]
UPDATE rowferry_checkpoint
    ["0-1-142" "2" "143"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["35" "3" "open" "6724.54" "2026-04-23 09:48:26.350085" "línea 1\nlínea 2"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["35" "1" "SKU-022" "8" "464.14"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["35" "2" "SKU-005" "1" "874.62"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["35" "3" "SKU-003" "5" "427.36"]
UPDATE rowferry_checkpoint
    ["0-1-143" "2" "144"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["747.41" "3.7999678874061424" "SKU-011" "2" "Item 11 Αθήνα" "747.40" "0x000BFF0080"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["324.60" "2.8680477422684922" "SKU-015" "2" "Item 15 القاهرة" "324.59" "0x000FFF0080"]
UPDATE "products" SET "price" = ?, "weight_kg" = ? WHERE "sku" IS ? AND "category_id" IS ? AND "name" IS ? AND "price" IS ? AND "photo" IS ?
    ["163.83" "0.34580684630893943" "SKU-018" "2" "Item 18 Zürich" "163.82" "0x0012FF0080"]
UPDATE rowferry_checkpoint
    ["0-1-144" "2" "145"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["36" "27" "open" "7940.83" "2026-03-23 21:40:41.210688" "NULL"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["36" "1" "SKU-029" "5" "633.33"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["36" "2" "SKU-002" "6" "58.54"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["36" "3" "SKU-023" "8" "341.91"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["36" "4" "SKU-035" "2" "843.83"]
UPDATE rowferry_checkpoint
    ["0-1-145" "2" "146"]
INSERT INTO "payments" ("id", "order_id", "amount", "paid_on", "took") VALUES (?, ?, ?, ?, ?)
    ["0x885120D4C0D519E40C14F90000000000" "33" "4699.66" "2026-11-18" "-00:00:01.250"]
UPDATE "orders" SET "status" = ? WHERE "id" IS ? AND "customer_id" IS ? AND "status" IS ? AND "total" IS ? AND "placed_at" IS ? AND "note" IS ?
    ["paid" "33" "3" "open" "4699.66" "2026-08-08 09:21:27.902761" "línea 1\nlínea 2"]
UPDATE rowferry_checkpoint
    ["0-1-146" "2" "147"]
INSERT INTO "orders" ("id", "customer_id", "status", "total", "placed_at", "note") VALUES (?, ?, ?, ?, ?, ?)
    ["37" "24" "open" "3291.68" "2026-09-08 14:23:40.396263" "línea 1\nlínea 2"]
INSERT INTO "order_items" ("order_id", "line", "sku", "quantity", "price") VALUES (?, ?, ?, ?, ?)
    ["37" "1" "SKU-010" "7" "470.24"]
UPDATE rowferry_checkpoint
    ["0-1-147" "2" "148"]
DELETE FROM "order_items" WHERE "order_id" IS ? AND "line" IS ? AND "sku" IS ? AND "quantity" IS ? AND "price" IS ?
    ["33" "1" "SKU-036" "7" "671.38"]
DELETE FROM "payments" WHERE "id" IS ? AND "order_id" IS ? AND "amount" IS ? AND "paid_on" IS ? AND "took" IS ?
    ["0x885120D4C0D519E40C14F90000000000" "33" "4699.66" "2026-11-18" "-00:00:01.250"]
DELETE FROM "orders" WHERE "id" IS ? AND "customer_id" IS ? AND "status" IS ? AND "total" IS ? AND "placed_at" IS ? AND "note" IS ?
    ["33" "3" "paid" "4699.66" "2026-08-08 09:21:27.902761" "línea 1\nlínea 2"]
UPDATE rowferry_checkpoint
    ["0-1-148" "2" "149"]
INSERT INTO "customers" ("id", "email", "full_name", "loyalty_card", "born", "preferences", "created_at") VALUES (?, ?, ?, ?, ?, ?, ?)
    ["38" "c99@example.com" "שרה כהן" "C000000099" "1941-04-18" "{\"news\": false, \"lang\": \"Zürich\"}" "2026-11-21 09:32:16.661"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["38" "billing" "Straße 99" "Zürich" "DE"]
INSERT INTO "addresses" ("customer_id", "kind", "street", "city", "country") VALUES (?, ?, ?, ?, ?)
    ["38" "shipping" "99丁目" "東京" "JP"]
UPDATE rowferry_checkpoint
    ["0-1-149" "2" "150"]
UPDATE rowferry_checkpoint
    ["0-1-150" "2" "151"]
