-- How much the model thinks about each step of the task; NULL: as the settings say.
ALTER TABLE "Task" ADD COLUMN "effort" TEXT CHECK ("effort" IN ('low', 'medium', 'high'));
