-- Requests per user or address while several replicas share this database and no Redis (src/limits/LimitStores.ts). Rows live for a minute
-- and may be lost in a crash of PostgreSQL: no write-ahead log, and they are not part of dumps. Room is left in the pages, so that
-- counting rewrites a row in its page.
CREATE UNLOGGED TABLE "RateCounter" (
  "key" TEXT NOT NULL PRIMARY KEY,
  "count" INTEGER NOT NULL,
  "expiresAt" TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
