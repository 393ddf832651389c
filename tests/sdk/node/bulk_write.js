// A bulk write: rows uploaded, job created, polled to its end, result downloaded and unzipped.
"use strict";

const fs = require("node:fs/promises");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const zlib = require("node:zlib");
const { answer, csv, done, insert, read, receiver, record, run, same, sdk, start, unzip } = require("./common.js");

// A job takes time.
const JOB_MS = 60_000;
const ROWS = `Email,Last name,Phone
marsh@example.com,"Marsh ""Reed""",555-555-1111
sedge@example.com,"Sedge, née Carr",555-555-2222
fen@example.com,,
`;

// A zip of one file, not compressed.
function zip(name, text) {
  const [title, content] = [Buffer.from(name), Buffer.from(text)];
  const sizes = Buffer.alloc(14);
  sizes.writeUInt32LE(zlib.crc32(content), 0);
  sizes.writeUInt32LE(content.length, 4);
  sizes.writeUInt32LE(content.length, 8);
  sizes.writeUInt16LE(title.length, 12);
  const version = Buffer.from([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), version, sizes, Buffer.alloc(2), title, content]);
  const entry = Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), version, sizes, Buffer.alloc(16), title]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, entry, end]);
}

async function upload(operations) {
  const [org] = answer(await new sdk.Org.OrgOperations().getOrganization(), 200).getOrg();
  await fs.writeFile("contacts.zip", zip("contacts.csv", ROWS));
  const file = new sdk.BulkWrite.FileBodyWrapper();
  file.setFile(new sdk.StreamWrapper(null, null, path.resolve("contacts.zip")));
  const headers = new sdk.HeaderMap();
  await headers.add(sdk.BulkWrite.UploadFileHeader.FEATURE, "bulk-write");
  await headers.add(sdk.BulkWrite.UploadFileHeader.X_CRM_ORG, org.getZgid());
  const uploaded = answer(await operations.uploadFile(file, headers), 200);
  same("the upload", uploaded.getCode().getValue(), "FILE_UPLOAD_SUCCESS");
  // The SDK makes a number of it.
  return uploaded.getDetails().get("file_id").toString();
}

async function job(file) {
  const module = new sdk.Modules.MinifiedModule();
  module.setAPIName("Contacts");
  const mappings = ["Email", "Last_Name", "Phone"].map((name, at) => {
    const mapping = new sdk.BulkWrite.FieldMapping();
    mapping.setAPIName(name);
    mapping.setIndex(at);
    return mapping;
  });
  const resource = new sdk.BulkWrite.Resource();
  resource.setType(new sdk.Choice("data"));
  await resource.setModule(module);
  resource.setFileId(file);
  resource.setFindBy("Email");
  resource.setFieldMappings(mappings);
  const callback = new sdk.BulkWrite.CallBack();
  callback.setUrl(`${receiver}/bulk?secret=s3`);
  callback.setMethod(new sdk.Choice("post"));
  const request = new sdk.BulkWrite.RequestWrapper();
  request.setOperation(new sdk.Choice("upsert"));
  await request.setCallback(callback);
  request.setResource([resource]);
  return request;
}

run(async () => {
  await start();
  const [known] = await insert("Contacts", record({ Last_Name: "Marsh", Email: "marsh@example.com" }));
  const operations = new sdk.BulkWrite.BulkWriteOperations();
  const file = await upload(operations);
  done("bulk write upload", file);

  const made = answer(await operations.createBulkWriteJob(await job(file)), 201);
  same("the answer", made.getCode().getValue(), "SUCCESS");
  const id = made.getDetails().get("id").toString();
  done("bulk write create", id);

  const end = Date.now() + JOB_MS;
  let detail;
  for (;;) {
    detail = answer(await operations.getBulkWriteJobDetails(id), 200);
    if (["COMPLETED", "FAILED"].includes(detail.getStatus()) || Date.now() > end) {
      break;
    }
    await sleep(200);
  }
  same("the status", detail.getStatus(), "COMPLETED");
  const counted = detail.getResource()[0].getFile();
  const counts = [counted.getAddedCount(), counted.getUpdatedCount(), counted.getSkippedCount(), counted.getTotalCount()];
  same("the counts", counts, [1, 1, 1, 3]);
  done("bulk write poll", counted.getTotalCount());

  const download = await answer(await operations.downloadBulkWriteResult(detail.getResult().getDownloadUrl()), 200);
  const [name, text] = unzip(download.getFile().getStream());
  const rows = csv(text);
  same("the statuses", rows.map((row) => row.STATUS), ["UPDATED", "ADDED", "SKIPPED"]);
  same("the errors", rows[2].ERRORS, "MANDATORY_NOT_FOUND-Last name");
  same("the updated one", rows[0].RECORD_ID, known.toString());
  const added = await read("Contacts", BigInt(rows[1].RECORD_ID), ["Last_Name", "Phone"]);
  same("the added one", added, { Last_Name: "Sedge, née Carr", Phone: "555-555-2222" });
  done("bulk write download", [name, rows.length]);
});
