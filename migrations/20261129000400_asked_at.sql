-- When the model was asked: the turn before its reply told it this time, and must go on doing so.
ALTER TABLE "ModelCall" ADD COLUMN "askedAt" TIMESTAMP(3);
