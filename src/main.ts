import { Layer } from "effect"
import { Settings } from "./config/Settings.ts"
import { runService } from "./RunMain.ts"
import * as Service from "./Service.ts"

runService(Layer.launch(Service.layer.pipe(Layer.provide(Settings.layer))))
