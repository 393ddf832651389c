// Notes and attachments.
"use strict";

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { answer, done, each, insert, parameters, record, run, same, sdk, start } = require("./common.js");

function hash(content) {
  return createHash("sha256").update(content).digest("hex");
}

function note(title, content) {
  const made = new sdk.Notes.Note();
  made.setNoteTitle(title);
  made.setNoteContent(content);
  return made;
}

function notesBody(...list) {
  const request = new sdk.Notes.BodyWrapper();
  request.setData(list);
  return request;
}

async function notes(lead) {
  const operations = new sdk.Notes.NotesOperations();
  const drafts = [note("Call", "Wants a hedge.\nNot a pond."), note("Visit", "Has a dog.")];
  for (const draft of drafts) {
    const [parent, module] = [new sdk.Notes.ParentId(), new sdk.Modules.MinifiedModule()];
    module.setAPIName("Leads");
    parent.setId(lead);
    await parent.setModule(module);
    await draft.setParentId(parent);
  }
  const made = each(answer(await operations.createNotes(notesBody(...drafts)), 201).getData());
  const [call, visit] = made.map((it) => BigInt(it.get("id")));
  each(answer(await operations.updateNote(visit, notesBody(note("Visit", "Has two dogs."))), 200).getData());
  const fields = (family, names) => parameters([sdk.Notes[family].FIELDS, names]);
  const wanted = await fields("GetNotesParam", "Note_Title,Note_Content,Parent_Id");
  const found = answer(await operations.getNotes(wanted, new sdk.HeaderMap()), 200).getData();
  const listed = new Map(found.map((it) => [it.getId(), it]));
  const titles = new Map(found.map((it) => [it.getId(), it.getNoteTitle()]));
  same("the notes", titles, new Map([[call, "Call"], [visit, "Visit"]]));
  same("the text", listed.get(visit).getNoteContent(), "Has two dogs.");
  const parent = listed.get(call).getParentId();
  same("what it is about", [parent.getId(), parent.getName()], [lead, "Ada Marsh"]);
  same("where that is", parent.getModule().getAPIName(), "Leads");
  const content = await fields("GetNoteParam", "Note_Content");
  const [one] = answer(await operations.getNote(call, content, new sdk.HeaderMap()), 200).getData();
  same("the text", one.getNoteContent(), "Wants a hedge.\nNot a pond.");
  each(answer(await operations.deleteNote(visit), 200).getData());
  const ids = await parameters([sdk.Notes.DeleteNotesParam.IDS, call.toString()]);
  each(answer(await operations.deleteNotes(ids), 200).getData());
  const left = await operations.getNotes(await fields("GetNotesParam", "Note_Title"), new sdk.HeaderMap());
  same("the status of no notes", left.getStatusCode(), 204);
  done("notes", [call, visit]);
}

async function attachments(lead) {
  // Not text, and longer than one buffer.
  const content = Buffer.concat(Array.from({ length: 10_000 }, (_, at) => createHash("sha256").update(`${at}`).digest()));
  fs.writeFileSync("plan ä.bin", content);
  const operations = new sdk.Attachments.AttachmentsOperations();
  const request = new sdk.Attachments.FileBodyWrapper();
  request.setFile(new sdk.StreamWrapper(null, null, path.resolve("plan ä.bin")));
  const [made] = each(answer(await operations.uploadAttachments(lead, "Leads", request), 200).getData());
  const attachment = made.get("id");
  const wanted = await parameters([sdk.Attachments.GetAttachmentsParam.FIELDS, "id,File_Name,Size,Parent_Id"]);
  const [listed] = answer(await operations.getAttachments(lead, "Leads", wanted), 200).getData();
  const told = [listed.getId(), listed.getFileName(), Number(listed.getSize()), listed.getParentId().getId()];
  same("the attachment", told, [attachment, "plan ä.bin", content.length, lead]);
  const file = await answer(await operations.getAttachment(attachment, lead, "Leads"), 200);
  same("its content", hash(file.getFile().getStream()), hash(content));
  each(answer(await operations.deleteAttachment(attachment, lead, "Leads"), 200).getData());
  same("the status of none", (await operations.getAttachments(lead, "Leads", wanted)).getStatusCode(), 204);
  done("attachments", content.length);
}

run(async () => {
  await start();
  const ada = { First_Name: "Ada", Last_Name: "Marsh", Company: "Reed Ltd", Email: "ada@example.com" };
  const [lead] = await insert("Leads", record(ada));
  await notes(lead);
  await attachments(lead);
});
