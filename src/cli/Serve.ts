import { Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import { endAtSecondSignal, keepHeapSmall } from "../RunMain.ts"
import * as Service from "../Service.ts"

/** `serve`: the service, until it is told to stop. */
export const serve = Effect.suspend(() => {
  endAtSecondSignal()
  keepHeapSmall()
  return Layer.launch(Service.layer.pipe(Layer.provide(Settings.layer)))
})
