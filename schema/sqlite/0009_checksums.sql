-- 0009_checksums.sql - a checksum beside each piece of what is large.

-- CRC-32C over the values that the piece was put with, in their order (server/store/sqlite/checksum.h): so it is of where the
-- piece belongs as well as of its bytes. NULL: put by an older release, and not checked.
ALTER TABLE segment ADD COLUMN crc INTEGER;
ALTER TABLE dictionary ADD COLUMN crc INTEGER;
ALTER TABLE blob_chunk ADD COLUMN crc INTEGER;
ALTER TABLE curve_block ADD COLUMN crc INTEGER;
ALTER TABLE curve_level ADD COLUMN crc INTEGER;
ALTER TABLE drift ADD COLUMN crc INTEGER;
