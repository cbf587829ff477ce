-- Search in descriptions (GET /tasks?q=). Punctuation separates words, so that e-mail addresses and paths are found by their parts. Longer
-- texts are searched at their beginning: a tsvector has its limits, and a description must not fail on them.
CREATE FUNCTION "descriptionWords"("description" TEXT) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_tsvector('pg_catalog.simple', translate(left("description", 20000), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', '                                '))
$$;
CREATE INDEX "Task_description_idx" ON "Task" USING GIN ("descriptionWords"("description"));
