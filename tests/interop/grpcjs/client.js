// Owns grpc-js as a client: makes one call per line of stdin, and says on stdout what became of it, both in JSON.
// Must not know protobuf: messages are bytes, in base64 on both sides.

const grpc = require(process.argv[2]);
const client = new grpc.Client(process.argv[3], grpc.credentials.createInsecure(), {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  ...JSON.parse(process.argv[4] || "{}"),
});
const bytes = (buffer) => buffer;

function metadataOf(pairs) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of pairs || []) {
    metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  }
  return metadata;
}

function pairsOf(metadata) {
  const found = {};
  for (const name of Object.keys(metadata ? metadata.getMap() : {})) {
    const value = metadata.get(name)[0];
    found[name] = Buffer.isBuffer(value) ? value.toString("base64") : value;
  }
  return found;
}

function optionsOf(ask) {
  return ask.timeout_ms ? { deadline: Date.now() + ask.timeout_ms } : {};
}

function say(ask, result) {
  console.log(JSON.stringify({ id: ask.id, ...result }));
}

function unary(ask) {
  let initial = null;
  const call = client.makeUnaryRequest(
    ask.path, bytes, bytes, Buffer.from(ask.data, "base64"), metadataOf(ask.metadata), optionsOf(ask),
    (error, answer) => say(ask, {
      code: error ? error.code : 0,
      details: error ? error.details : "",
      answer: answer ? answer.toString("base64") : null,
      initial: pairsOf(initial),
      trailing: pairsOf(error && error.metadata),
    }),
  );
  call.on("metadata", (metadata) => { initial = metadata; });
  if (ask.cancel_ms) {
    setTimeout(() => call.cancel(), ask.cancel_ms);
  }
}

function stream(ask) {
  const messages = [];
  const call = client.makeBidiStreamRequest(ask.path, bytes, bytes, metadataOf(ask.metadata), optionsOf(ask));
  call.on("data", (data) => {
    messages.push(data.toString("base64"));
    if (ask.cancel_after && messages.length === ask.cancel_after) {
      call.cancel();
    }
  });
  call.on("error", () => {});
  call.on("status", (status) => say(ask, { code: status.code, details: status.details, messages }));
  for (const data of ask.messages) {
    call.write(Buffer.from(data, "base64"));
  }
  call.end();
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const ask = JSON.parse(line);
  (ask.messages ? stream : unary)(ask);
});
