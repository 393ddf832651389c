"""Notes and attachments."""

import hashlib
import os

from common import answer, done, each, insert, record, same, start
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.attachments import AttachmentsOperations, FileBodyWrapper
from zohocrmsdk.src.com.zoho.crm.api.attachments.attachments_operations import GetAttachmentsParam
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule
from zohocrmsdk.src.com.zoho.crm.api.notes import BodyWrapper as Notes, Note, NotesOperations, ParentId
from zohocrmsdk.src.com.zoho.crm.api.notes.notes_operations import DeleteNotesParam, GetNoteParam, GetNotesParam
from zohocrmsdk.src.com.zoho.crm.api.util import StreamWrapper

start()
(lead,) = insert("Leads", record(First_Name="Ada", Last_Name="Marsh", Company="Reed Ltd", Email="ada@example.com"))


def note(title, content):
    made = Note()
    made.set_note_title(title)
    made.set_note_content(content)
    return made


def about(parent, module):
    found, its_module = ParentId(), MinifiedModule()
    its_module.set_api_name(module)
    found.set_id(parent)
    found.set_module(its_module)
    return found


def notes_body(*notes):
    request = Notes()
    request.set_data(list(notes))
    return request


operations = NotesOperations()
first, second = note("Call", "Wants a hedge.\nNot a pond."), note("Visit", "Has a dog.")
for it in (first, second):
    it.set_parent_id(about(lead, "Leads"))
made = each(answer(operations.create_notes(notes_body(first, second)), 201).get_data())
call, visit = [int(it["id"]) for it in made]
each(answer(operations.update_note(visit, notes_body(note("Visit", "Has two dogs."))), 200).get_data())
parameters = ParameterMap()
parameters.add(GetNotesParam.fields, "Note_Title,Note_Content,Parent_Id")
listed = {it.get_id(): it for it in answer(operations.get_notes(parameters, HeaderMap()), 200).get_data()}
same("the notes", {key: it.get_note_title() for key, it in listed.items()}, {call: "Call", visit: "Visit"})
same("the text", listed[visit].get_note_content(), "Has two dogs.")
same("what it is about", (listed[call].get_parent_id().get_id(), listed[call].get_parent_id().get_name()), (lead, "Ada Marsh"))
same("where that is", listed[call].get_parent_id().get_module().get_api_name(), "Leads")
parameters = ParameterMap()
parameters.add(GetNoteParam.fields, "Note_Content")
(one,) = answer(operations.get_note(call, parameters, HeaderMap()), 200).get_data()
same("the text", one.get_note_content(), "Wants a hedge.\nNot a pond.")
each(answer(operations.delete_note(visit), 200).get_data())
parameters = ParameterMap()
parameters.add(DeleteNotesParam.ids, str(call))
each(answer(operations.delete_notes(parameters), 200).get_data())
parameters = ParameterMap()
parameters.add(GetNotesParam.fields, "Note_Title")
same("the status of no notes", operations.get_notes(parameters, HeaderMap()).get_status_code(), 204)
done("notes", [str(call), str(visit)])

# Not text, and longer than one buffer.
content = b"".join(hashlib.sha256(bytes([at % 256, at // 256])).digest() for at in range(10_000))
with open("plan ä.bin", "wb") as file:
    file.write(content)
operations = AttachmentsOperations()
request = FileBodyWrapper()
request.set_file(StreamWrapper(file_path=os.path.abspath("plan ä.bin")))
(made,) = each(answer(operations.upload_attachments(lead, "Leads", request), 200).get_data())
attachment = made["id"]
parameters = ParameterMap()
parameters.add(GetAttachmentsParam.fields, "id,File_Name,Size,Parent_Id")
(listed,) = answer(operations.get_attachments(lead, "Leads", parameters), 200).get_data()
told = (listed.get_id(), listed.get_file_name(), int(listed.get_size()), listed.get_parent_id().get_id())
same("the attachment", told, (attachment, "plan ä.bin", len(content), lead))
stream = answer(operations.get_attachment(attachment, lead, "Leads"), 200).get_file()
same("its content", hashlib.sha256(stream.get_stream().content).hexdigest(), hashlib.sha256(content).hexdigest())
each(answer(operations.delete_attachment(attachment, lead, "Leads"), 200).get_data())
same("the status of none", operations.get_attachments(lead, "Leads", parameters).get_status_code(), 204)
done("attachments", len(content))
