import { Effect, Layer } from "effect"
import { Settings } from "../../src/config/Settings.ts"
import { Stopping } from "../../src/health/Stopping.ts"
import { runService } from "../../src/RunMain.ts"

/** A service of which a part never ends. */
const hanging = Layer.effectDiscard(
  Effect.addFinalizer(() => Effect.never).pipe(Effect.andThen(Effect.sync(() => process.stdout.write("ready\n"))))
)

runService(
  Layer.launch(
    Stopping.atEnd.pipe(Layer.provideMerge(hanging), Layer.provide(Stopping.layer), Layer.provide(Settings.layer))
  )
)
