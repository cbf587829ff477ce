-- How many tasks there are of each kind, so that a list can tell its total without counting them. Every change of "Task", whoever makes it,
-- appends a row to "TaskCountChange": writers never wait for each other. The service folds these into "TaskCount" (src/tasks/TaskCounts.ts).
-- The total is the sum of both, exact in every snapshot.

-- Counted twice: for all tasks ("userId" is NULL), and for each user's own. No foreign key: a user who goes takes their tasks out of it by the trigger.
CREATE TABLE "TaskCount" (
  "userId" TEXT,
  "status" "TaskStatus" NOT NULL,
  "priority" "TaskPriority" NOT NULL,
  "type" "TaskType" NOT NULL,
  "createdBy" "Role" NOT NULL,
  "count" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "TaskCount_key" ON "TaskCount" ("userId", "status", "priority", "type", "createdBy") NULLS NOT DISTINCT;

-- "userId" is the task's here; NULL: nobody's. Rows live for seconds: cleaning up early keeps the table a few pages long.
CREATE TABLE "TaskCountChange" (
  "userId" TEXT,
  "status" "TaskStatus" NOT NULL,
  "priority" "TaskPriority" NOT NULL,
  "type" "TaskType" NOT NULL,
  "createdBy" "Role" NOT NULL,
  "count" BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The functions find the tables whatever the writer's search_path is: pg_restore empties it.
CREATE FUNCTION "countAddedTask"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO "TaskCountChange" VALUES (NEW."userId", NEW."status", NEW."priority", NEW."type", NEW."createdBy", 1);
  RETURN NULL;
END
$$;
CREATE FUNCTION "countRemovedTasks"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO "TaskCountChange" SELECT "userId", "status", "priority", "type", "createdBy", -count(*) FROM "removed" GROUP BY 1, 2, 3, 4, 5;
  RETURN NULL;
END
$$;
CREATE FUNCTION "countChangedTask"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO "TaskCountChange" VALUES
    (OLD."userId", OLD."status", OLD."priority", OLD."type", OLD."createdBy", -1),
    (NEW."userId", NEW."status", NEW."priority", NEW."type", NEW."createdBy", 1);
  RETURN NULL;
END
$$;
-- Changes that are being folded must be there or gone.
CREATE FUNCTION "countNoTasks"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  LOCK TABLE "TaskCountChange", "TaskCount" IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM "TaskCountChange";
  DELETE FROM "TaskCount";
  RETURN NULL;
END
$$;

-- Row by row: tasks are created one at a time, and a transition table costs more than the row that it holds.
CREATE TRIGGER "Task_countAdded" AFTER INSERT ON "Task" FOR EACH ROW EXECUTE FUNCTION "countAddedTask"();
CREATE TRIGGER "Task_countRemoved" AFTER DELETE ON "Task" REFERENCING OLD TABLE AS "removed" FOR EACH STATEMENT EXECUTE FUNCTION "countRemovedTasks"();
CREATE TRIGGER "Task_countTruncated" AFTER TRUNCATE ON "Task" FOR EACH STATEMENT EXECUTE FUNCTION "countNoTasks"();
-- Row by row, as most updates change nothing that is counted, and the condition is all that these cost.
CREATE TRIGGER "Task_countChanged" AFTER UPDATE ON "Task" FOR EACH ROW
  WHEN ((OLD."userId", OLD."status", OLD."priority", OLD."type", OLD."createdBy")
    IS DISTINCT FROM (NEW."userId", NEW."status", NEW."priority", NEW."type", NEW."createdBy"))
  EXECUTE FUNCTION "countChangedTask"();

INSERT INTO "TaskCount"
  SELECT NULL, "status", "priority", "type", "createdBy", count(*) FROM "Task" GROUP BY 2, 3, 4, 5
  UNION ALL SELECT "userId", "status", "priority", "type", "createdBy", count(*) FROM "Task" WHERE "userId" IS NOT NULL GROUP BY 1, 2, 3, 4, 5;
