// A bulk read: job created, polled to its end, result downloaded and unzipped.
"use strict";

const assert = require("node:assert/strict");
const { setTimeout: sleep } = require("node:timers/promises");
const { answer, csv, done, each, insert, receiver, record, run, same, sdk, start, unzip } = require("./common.js");

// A job takes time.
const JOB_MS = 60_000;

async function job() {
  const field = new sdk.Fields.MinifiedField();
  field.setAPIName("Company");
  const criteria = new sdk.BulkRead.Criteria();
  await criteria.setField(field);
  criteria.setComparator(new sdk.Choice("equal"));
  criteria.setValue("Reed Ltd");
  const module = new sdk.Modules.MinifiedModule();
  module.setAPIName("Leads");
  const query = new sdk.BulkRead.Query();
  await query.setModule(module);
  query.setFields(["Last_Name", "Company"]);
  await query.setCriteria(criteria);
  const callback = new sdk.BulkRead.CallBack();
  callback.setUrl(`${receiver}/bulk?secret=s3`);
  callback.setMethod(new sdk.Choice("post"));
  const request = new sdk.BulkRead.BodyWrapper();
  await request.setQuery(query);
  await request.setCallback(callback);
  request.setFileType(new sdk.Choice("csv"));
  return request;
}

run(async () => {
  await start();
  const leads = Array.from({ length: 100 }, (_, at) =>
    record({ Last_Name: `Lead "${at}",\nno. ${at}`, Company: at % 2 ? "Reed Ltd" : "Marsh Ltd" }),
  );
  const ids = await insert("Leads", ...leads);

  const operations = new sdk.BulkRead.BulkReadOperations();
  const [made] = each(answer(await operations.createBulkReadJob(await job()), 201).getData(), "ADDED_SUCCESSFULLY");
  const id = BigInt(made.get("id"));
  same("the state", made.get("state").getValue(), "ADDED");
  done("bulk read create", id);

  const end = Date.now() + JOB_MS;
  let detail;
  for (;;) {
    [detail] = answer(await operations.getBulkReadJobDetails(id), 200).getData();
    if (["COMPLETED", "FAILURE"].includes(detail.getState().getValue()) || Date.now() > end) {
      break;
    }
    await sleep(200);
  }
  same("the state", detail.getState().getValue(), "COMPLETED");
  const result = detail.getResult();
  same("the result", [result.getCount(), result.getPage(), result.getMoreRecords()], [50, 1, false]);
  assert.ok(result.getDownloadUrl().endsWith(`/read/${id}/result`), result.getDownloadUrl());
  done("bulk read poll", result.getCount());

  const file = await answer(await operations.downloadResult(id), 200);
  const [name, text] = unzip(file.getFile().getStream());
  const rows = csv(text).sort((one, other) => Number(BigInt(one.Id) - BigInt(other.Id)));
  const expected = ids.flatMap((lead, at) =>
    at % 2 ? [{ Id: lead.toString(), Last_Name: `Lead "${at}",\nno. ${at}`, Company: "Reed Ltd" }] : [],
  );
  same("the rows", rows, expected);
  done("bulk read download", [name, rows.length]);
});
