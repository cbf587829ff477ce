/**
 * Answers of the real daemon, from the recording golden/desktop.json: name, request line, body (a string is sent as it is, null is
 * no body), status, and the body of the answer. Names of temporary files are masked; screenshots are left out.
 */
export const recorded: ReadonlyArray<readonly [string, string, unknown, number, string]> = [
  ["move_mouse", "POST /computer-use", { action: "move_mouse", coordinates: { x: 300, y: 200 } }, 201, ""],
  ["cursor_position", "POST /computer-use", { action: "cursor_position" }, 201, '{"x":300,"y":200}'],
  [
    "click_mouse left",
    "POST /computer-use",
    { action: "click_mouse", coordinates: { x: 300, y: 200 }, button: "left", clickCount: 1 },
    201,
    ""
  ],
  [
    "type_text",
    "POST /computer-use",
    { action: "type_text", text: 'echo "Hello, World! $((6*7))" > ~/typed.txt\n' },
    201,
    ""
  ],
  ["type_text with delay 50", "POST /computer-use", { action: "type_text", text: "abc", delay: 50 }, 201, ""],
  ["type_keys ctrl+u", "POST /computer-use", { action: "type_keys", keys: ["ctrl", "u"] }, 201, ""],
  [
    "type_text sensitive field (unknown to dto)",
    "POST /computer-use",
    { action: "type_text", text: "x", sensitive: true },
    201,
    ""
  ],
  ["type_keys BackSpace", "POST /computer-use", { action: "type_keys", keys: ["BackSpace"] }, 201, ""],
  ["type_keys Backspace", "POST /computer-use", { action: "type_keys", keys: ["Backspace"] }, 201, ""],
  ["type_keys Return", "POST /computer-use", { action: "type_keys", keys: ["Return"] }, 201, ""],
  ["type_keys Enter", "POST /computer-use", { action: "type_keys", keys: ["Enter"], delay: 20 }, 201, ""],
  ["paste_text", "POST /computer-use", { action: "paste_text", text: "echo pasted-ünïcode-✓ > ~/pasted.txt" }, 201, ""],
  ["type_keys Return after paste", "POST /computer-use", { action: "type_keys", keys: ["Return"] }, 201, ""],
  ["press_keys down", "POST /computer-use", { action: "press_keys", keys: ["shift"], press: "down" }, 201, ""],
  ["press_keys up", "POST /computer-use", { action: "press_keys", keys: ["shift"], press: "up" }, 201, ""],
  ["type_text fill", "POST /computer-use", { action: "type_text", text: "seq 200\n" }, 201, ""],
  [
    "scroll up 3",
    "POST /computer-use",
    { action: "scroll", coordinates: { x: 300, y: 200 }, direction: "up", scrollCount: 3 },
    201,
    ""
  ],
  [
    "scroll down 3 no coordinates",
    "POST /computer-use",
    { action: "scroll", direction: "down", scrollCount: 3 },
    201,
    ""
  ],
  ["scroll left", "POST /computer-use", { action: "scroll", direction: "left", scrollCount: 1 }, 201, ""],
  [
    "drag_mouse title bar",
    "POST /computer-use",
    {
      action: "drag_mouse",
      path: [
        { x: 400, y: 70 },
        { x: 450, y: 90 },
        { x: 520, y: 130 },
        { x: 600, y: 170 }
      ],
      button: "left"
    },
    201,
    ""
  ],
  [
    "drag_mouse holdKeys",
    "POST /computer-use",
    {
      action: "drag_mouse",
      path: [
        { x: 400, y: 300 },
        { x: 450, y: 310 }
      ],
      button: "left",
      holdKeys: ["shift"]
    },
    201,
    ""
  ],
  [
    "trace_mouse",
    "POST /computer-use",
    {
      action: "trace_mouse",
      path: [
        { x: 100, y: 100 },
        { x: 200, y: 200 },
        { x: 300, y: 100 }
      ]
    },
    201,
    ""
  ],
  [
    "press_mouse down",
    "POST /computer-use",
    { action: "press_mouse", coordinates: { x: 700, y: 300 }, button: "left", press: "down" },
    201,
    ""
  ],
  [
    "press_mouse up",
    "POST /computer-use",
    { action: "press_mouse", coordinates: { x: 720, y: 300 }, button: "left", press: "up" },
    201,
    ""
  ],
  [
    "click_mouse double",
    "POST /computer-use",
    { action: "click_mouse", coordinates: { x: 700, y: 300 }, button: "left", clickCount: 2 },
    201,
    ""
  ],
  [
    "click_mouse right on root",
    "POST /computer-use",
    { action: "click_mouse", coordinates: { x: 30, y: 900 }, button: "right", clickCount: 1 },
    201,
    ""
  ],
  ["type_keys Escape", "POST /computer-use", { action: "type_keys", keys: ["Escape"] }, 201, ""],
  [
    "click_mouse holdKeys, no coordinates",
    "POST /computer-use",
    { action: "click_mouse", button: "left", clickCount: 1, holdKeys: ["ctrl"] },
    201,
    ""
  ],
  ["wait 500", "POST /computer-use", { action: "wait", duration: 500 }, 201, ""],
  ["wait 0", "POST /computer-use", { action: "wait", duration: 0 }, 201, ""],
  ["move_mouse off screen", "POST /computer-use", { action: "move_mouse", coordinates: { x: 5000, y: 5000 } }, 201, ""],
  ["cursor_position after off screen", "POST /computer-use", { action: "cursor_position" }, 201, '{"x":1279,"y":959}'],
  ["move_mouse negative", "POST /computer-use", { action: "move_mouse", coordinates: { x: -10, y: -10 } }, 201, ""],
  ["cursor_position after negative", "POST /computer-use", { action: "cursor_position" }, 201, '{"x":0,"y":0}'],
  ["move_mouse fractional", "POST /computer-use", { action: "move_mouse", coordinates: { x: 10.6, y: 20.4 } }, 201, ""],
  ["cursor_position after fractional", "POST /computer-use", { action: "cursor_position" }, 201, '{"x":10,"y":20}'],
  [
    "write_file relative",
    "POST /computer-use",
    { action: "write_file", path: "note.txt", data: "aGVsbG8gZmlsZQo=" },
    201,
    '{"success":true,"message":"File written successfully to: /home/user/Desktop/note.txt"}'
  ],
  [
    "read_file relative",
    "POST /computer-use",
    { action: "read_file", path: "note.txt" },
    201,
    '{"success":true,"data":"aGVsbG8gZmlsZQo=","name":"note.txt","size":11,"mediaType":"text/plain"}'
  ],
  [
    "write_file nested",
    "POST /computer-use",
    { action: "write_file", path: "a/b c/data.json", data: "eyJhIjoxfQ==" },
    201,
    '{"success":true,"message":"File written successfully to: /home/user/Desktop/a/b c/data.json"}'
  ],
  [
    "read_file absolute",
    "POST /computer-use",
    { action: "read_file", path: "/home/user/Desktop/a/b c/data.json" },
    201,
    '{"success":true,"data":"eyJhIjoxfQ==","name":"data.json","size":7,"mediaType":"application/json"}'
  ],
  [
    "write_file not base64",
    "POST /computer-use",
    { action: "write_file", path: "bad.bin", data: "%%%not base64%%%" },
    201,
    '{"success":true,"message":"File written successfully to: /home/user/Desktop/bad.bin"}'
  ],
  [
    "read_file bad.bin",
    "POST /computer-use",
    { action: "read_file", path: "bad.bin" },
    201,
    '{"success":true,"data":"notbase6","name":"bad.bin","size":6,"mediaType":"application/octet-stream"}'
  ],
  [
    "read_file missing",
    "POST /computer-use",
    { action: "read_file", path: "missing.txt" },
    201,
    '{"success":false,"message":"Error reading file: Command failed: sudo cp \\"/home/user/Desktop/missing.txt\\" \\"/tmp/bytebot_read_#\\"\\ncp: cannot stat \'/home/user/Desktop/missing.txt\': No such file or directory\\n"}'
  ],
  [
    "read_file directory",
    "POST /computer-use",
    { action: "read_file", path: "/home/user/Desktop" },
    201,
    '{"success":false,"message":"Error reading file: Command failed: sudo cp \\"/home/user/Desktop\\" \\"/tmp/bytebot_read_#\\"\\ncp: -r not specified; omitting directory \'/home/user/Desktop\'\\n"}'
  ],
  [
    "write_file to directory",
    "POST /computer-use",
    { action: "write_file", path: "/home/user/Desktop", data: "aGk=" },
    201,
    '{"success":true,"message":"File written successfully to: /home/user/Desktop"}'
  ],
  [
    "write_file under a file",
    "POST /computer-use",
    { action: "write_file", path: "/home/user/Desktop/note.txt/x", data: "aGk=" },
    201,
    '{"success":false,"message":"Error writing file: Command failed: sudo cp \\"/tmp/bytebot_temp_#\\" \\"/home/user/Desktop/note.txt/x\\"\\ncp: cannot stat \'/home/user/Desktop/note.txt/x\': Not a directory\\n"}'
  ],
  [
    "no body",
    "POST /computer-use",
    null,
    400,
    '{"message":"Missing action field","error":"Bad Request","statusCode":400}'
  ],
  [
    "empty object",
    "POST /computer-use",
    {},
    400,
    '{"message":"Missing action field","error":"Bad Request","statusCode":400}'
  ],
  [
    "unknown action",
    "POST /computer-use",
    { action: "fly" },
    400,
    '{"message":"Unknown action: fly","error":"Bad Request","statusCode":400}'
  ],
  [
    "malformed json",
    "POST /computer-use",
    '{"action":',
    400,
    '{"message":"Unexpected end of JSON input","error":"Bad Request","statusCode":400}'
  ],
  [
    "text/plain body",
    "POST /computer-use",
    '{"action":"screenshot"}',
    400,
    '{"message":"Missing action field","error":"Bad Request","statusCode":400}'
  ],
  [
    "move_mouse without coordinates",
    "POST /computer-use",
    { action: "move_mouse" },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Cannot destructure property \'x\' of \'undefined\' as it is undefined."}'
  ],
  [
    "move_mouse string coordinates",
    "POST /computer-use",
    { action: "move_mouse", coordinates: { x: "1", y: 2 } },
    400,
    '{"message":[{"target":{"action":"move_mouse","coordinates":{"x":"1","y":2}},"value":{"x":"1","y":2},"property":"coordinates","children":[{"target":{"x":"1","y":2},"value":"1","property":"x","children":[],"constraints":{"isNumber":"x must be a number conforming to the specified constraints"}}]}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "click_mouse bad button",
    "POST /computer-use",
    { action: "click_mouse", button: "fourth", clickCount: 1 },
    400,
    '{"message":[{"target":{"action":"click_mouse","button":"fourth","clickCount":1},"value":"fourth","property":"button","children":[],"constraints":{"isEnum":"button must be one of the following values: left, right, middle"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "click_mouse no clickCount",
    "POST /computer-use",
    { action: "click_mouse", button: "left" },
    400,
    '{"message":[{"target":{"action":"click_mouse","button":"left"},"property":"clickCount","children":[],"constraints":{"min":"clickCount must not be less than 1","isNumber":"clickCount must be a number conforming to the specified constraints"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "click_mouse clickCount 0",
    "POST /computer-use",
    { action: "click_mouse", button: "left", clickCount: 0 },
    400,
    '{"message":[{"target":{"action":"click_mouse","button":"left","clickCount":0},"value":0,"property":"clickCount","children":[],"constraints":{"min":"clickCount must not be less than 1"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "scroll bad",
    "POST /computer-use",
    { action: "scroll", direction: "sideways", scrollCount: 0 },
    400,
    '{"message":[{"target":{"action":"scroll","direction":"sideways","scrollCount":0},"value":"sideways","property":"direction","children":[],"constraints":{"isEnum":"direction must be one of the following values: up, down, left, right"}},{"target":{"action":"scroll","direction":"sideways","scrollCount":0},"value":0,"property":"scrollCount","children":[],"constraints":{"min":"scrollCount must not be less than 1"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "drag_mouse path bad",
    "POST /computer-use",
    { action: "drag_mouse", path: [{ x: 1 }], button: "left" },
    400,
    '{"message":[{"target":{"action":"drag_mouse","path":[{"x":1}],"button":"left"},"value":[{"x":1}],"property":"path","children":[{"target":[{"x":1}],"value":{"x":1},"property":"0","children":[{"target":{"x":1},"property":"y","children":[],"constraints":{"isNumber":"y must be a number conforming to the specified constraints"}}]}]}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "type_keys keys string",
    "POST /computer-use",
    { action: "type_keys", keys: "ctrl" },
    400,
    '{"message":[{"target":{"action":"type_keys","keys":"ctrl"},"value":"ctrl","property":"keys","children":[],"constraints":{"isArray":"keys must be an array"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "type_text number",
    "POST /computer-use",
    { action: "type_text", text: 5 },
    400,
    '{"message":[{"target":{"action":"type_text","text":5},"value":5,"property":"text","children":[],"constraints":{"isString":"text must be a string"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "wait negative",
    "POST /computer-use",
    { action: "wait", duration: -1 },
    400,
    '{"message":[{"target":{"action":"wait","duration":-1},"value":-1,"property":"duration","children":[],"constraints":{"min":"duration must not be less than 0"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "application unknown",
    "POST /computer-use",
    { action: "application", application: "notepad" },
    400,
    '{"message":[{"target":{"action":"application","application":"notepad"},"value":"notepad","property":"application","children":[],"constraints":{"isEnum":"application must be one of the following values: firefox, 1password, thunderbird, vscode, terminal, desktop, directory"}}],"error":"Bad Request","statusCode":400}'
  ],
  [
    "write_file no data",
    "POST /computer-use",
    { action: "write_file", path: "x" },
    400,
    '{"message":[{"target":{"action":"write_file","path":"x"},"property":"data","children":[],"constraints":{"isString":"data must be a string"}}],"error":"Bad Request","statusCode":400}'
  ],
  ["extra fields are accepted", "POST /computer-use", { action: "cursor_position", foo: 1 }, 201, '{"x":10,"y":20}'],
  [
    "type_keys invalid key",
    "POST /computer-use",
    { action: "type_keys", keys: ["NoSuchKey"] },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Failed to send keys: Invalid key: \'NoSuchKey\'. Key not found in available key mappings."}'
  ],
  [
    "press_keys invalid key",
    "POST /computer-use",
    { action: "press_keys", keys: ["NoSuchKey"], press: "down" },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Failed to hold keys: Invalid key: \'NoSuchKey\'. Key not found in available key mappings."}'
  ],
  [
    "type_text unmapped char",
    "POST /computer-use",
    { action: "type_text", text: "é" },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Failed to type text: No key mapping found for character: é"}'
  ],
  [
    "type_text tab",
    "POST /computer-use",
    { action: "type_text", text: "\t" },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Failed to type text: No key mapping found for character: \\t"}'
  ],
  [
    "click holdKeys invalid",
    "POST /computer-use",
    { action: "click_mouse", button: "left", clickCount: 1, holdKeys: ["Bogus"] },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Failed to hold keys: Invalid key: \'Bogus\'. Key not found in available key mappings."}'
  ],
  [
    "drag_mouse empty path",
    "POST /computer-use",
    { action: "drag_mouse", path: [], button: "left" },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Cannot destructure property \'x\' of \'undefined\' as it is undefined."}'
  ],
  [
    "trace_mouse empty path",
    "POST /computer-use",
    { action: "trace_mouse", path: [] },
    500,
    '{"statusCode":500,"message":"Failed to execute computer action: Cannot destructure property \'x\' of \'undefined\' as it is undefined."}'
  ],
  ["GET /", "GET /", null, 404, '{"message":"Cannot GET /","error":"Not Found","statusCode":404}'],
  [
    "GET /computer-use",
    "GET /computer-use",
    null,
    404,
    '{"message":"Cannot GET /computer-use","error":"Not Found","statusCode":404}'
  ],
  ["POST /nope", "POST /nope", {}, 404, '{"message":"Cannot POST /nope","error":"Not Found","statusCode":404}'],
  ["application terminal (apps)", "POST /computer-use", { action: "application", application: "terminal" }, 201, ""],
  ["application firefox (apps)", "POST /computer-use", { action: "application", application: "firefox" }, 201, ""],
  [
    "application thunderbird (apps)",
    "POST /computer-use",
    { action: "application", application: "thunderbird" },
    201,
    ""
  ],
  ["application 1password (apps)", "POST /computer-use", { action: "application", application: "1password" }, 201, ""],
  ["application vscode (apps)", "POST /computer-use", { action: "application", application: "vscode" }, 201, ""],
  ["application directory (apps)", "POST /computer-use", { action: "application", application: "directory" }, 201, ""],
  ["application desktop (apps)", "POST /computer-use", { action: "application", application: "desktop" }, 201, ""],
  [
    "application terminal second time",
    "POST /computer-use",
    { action: "application", application: "terminal" },
    201,
    ""
  ]
]
