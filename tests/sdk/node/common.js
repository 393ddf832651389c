// What the scripts share: a session of the official SDK with the simulator, checks, and how results are told.
//
// Each script is called with the simulator's URL, and with the URL of a receiver, in an empty folder of its own.
// It prints one line of JSON for each operation whose results were as they should be, and ends at the first that was not.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const zlib = require("node:zlib");
const sdk = require("@zohocrm/nodejs-sdk-8.0");

const [simulator, receiver] = process.argv.slice(2);

// Begins a session; without a code with the refresh token that the simulator knows.
async function start(code) {
  const environment = new sdk.Environment(simulator, `${simulator}/oauth/v2/token`, simulator);
  const builder = new sdk.OAuthBuilder().clientId("1000.SIM").clientSecret("sim");
  const token = (code ? builder.grantToken(code) : builder.refreshToken("1000.sim.refresh")).build();
  const store = new sdk.FileStore(path.join(process.cwd(), "tokens.csv"));
  const session = await new sdk.InitializeBuilder();
  await session.environment(environment).token(token).store(store).resourcePath(process.cwd()).initialize();
  return token;
}

function done(operation, saw) {
  const text = (_, value) => (typeof value === "bigint" ? value.toString() : value);
  console.log(JSON.stringify({ operation, saw }, text));
}

function same(what, actual, expected) {
  assert.deepEqual(actual, expected, `${what} is ${inspect(actual)}, not ${inspect(expected)}`);
}

function inspect(value) {
  return require("node:util").inspect(value, { depth: 4 });
}

// The object that the SDK made of an answer with this status.
function answer(response, status) {
  const told = response.getStatusCode();
  assert.equal(told, status, `the status is ${told}, not ${status}: ${JSON.stringify(response.getResponseJSON())}`);
  return response.getObject();
}

// The details of items that all succeeded.
function each(items, code = "SUCCESS") {
  for (const item of items) {
    const told = [item.getCode().getValue(), item.getStatus().getValue()];
    same("the result", told, [code, "success"]);
    assert.match(item.constructor.name, /SuccessResponse$/);
  }
  return items.map((item) => item.getDetails());
}

// A map of parameters or headers.
async function parameters(...pairs) {
  const map = new sdk.ParameterMap();
  for (const [parameter, value] of pairs) {
    await map.add(parameter, value);
  }
  return map;
}

function record(values) {
  const made = new sdk.Record.Record();
  for (const [name, value] of Object.entries(values)) {
    made.addKeyValue(name, value);
  }
  return made;
}

function records(...list) {
  const request = new sdk.Record.BodyWrapper();
  request.setData(list);
  return request;
}

// The ids of new records.
async function insert(module, ...list) {
  const response = await new sdk.Record.RecordOperations(module).createRecords(records(...list), new sdk.HeaderMap());
  return each(answer(response, 201).getData()).map((it) => BigInt(it.get("id")));
}

async function read(module, id, fields) {
  const wanted = await parameters([sdk.Record.GetRecordParam.FIELDS, fields.join(",")]);
  const response = await new sdk.Record.RecordOperations(module).getRecord(id, wanted, new sdk.HeaderMap());
  const found = answer(response, 200).getData();
  same("the number of records", found.length, 1);
  return Object.fromEntries(fields.map((name) => [name, found[0].getKeyValue(name)]));
}

// The one file of a zip, by its central directory.
function unzip(zip) {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  same("the number of files", zip.readUInt16LE(end + 10), 1);
  const entry = zip.readUInt32LE(end + 16);
  const name = zip.toString("utf8", entry + 46, entry + 46 + zip.readUInt16LE(entry + 28));
  const local = zip.readUInt32LE(entry + 42);
  const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(from, from + zip.readUInt32LE(entry + 20));
  const content = zip.readUInt16LE(entry + 10) === 0 ? packed : zlib.inflateRawSync(packed);
  same("the length", content.length, zip.readUInt32LE(entry + 24));
  return [name, content.toString("utf8")];
}

// The rows of a CSV text, as objects.
function csv(text) {
  const cells = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/y;
  const rows = [[]];
  while (cells.lastIndex < text.length) {
    const [, cell, after] = cells.exec(text);
    rows.at(-1).push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (after !== "," && cells.lastIndex < text.length) {
      rows.push([]);
    }
  }
  const [names, ...values] = rows;
  return values.map((row) => Object.fromEntries(row.map((cell, at) => [names[at], cell])));
}

function run(script) {
  script().catch((error) => {
    console.error(inspect(error));
    process.exit(1);
  });
}

module.exports = {
  answer,
  csv,
  done,
  each,
  insert,
  parameters,
  read,
  receiver,
  record,
  records,
  run,
  same,
  sdk,
  simulator,
  start,
  unzip,
};
