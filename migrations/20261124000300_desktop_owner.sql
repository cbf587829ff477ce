-- Which worker drives a desktop. Each new one raises the generation; those before it claim no task any more, whatever they still believe.
CREATE TABLE "DesktopOwner" (
  "desktop" TEXT NOT NULL,
  "generation" INTEGER NOT NULL,
  "replica" TEXT NOT NULL,
  "since" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "DesktopOwner_pkey" PRIMARY KEY ("desktop")
);
