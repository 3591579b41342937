//! The pages, in plain HTML: nothing that runs, nothing that styles, and no button, so that a rider's platform can
//! show the form as part of its own. What sends it is an input: without one a browser would not send a form with
//! more than one field, and without a script nothing else would.

use uuid::Uuid;

use super::NONCE;
use super::sent::Sent;
use crate::domain::form::{Field, FieldKind, Form};
use crate::service::form::OpenForm;

/// What a rider typed before, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    sent: Sent,
    wrong: Vec<String>,
}

impl Typed {
    pub(super) const fn new(sent: Sent, wrong: Vec<String>) -> Self {
        Self { sent, wrong }
    }

    /// What was typed into a field.
    fn value(&self, id: &str) -> &str {
        let found = self.sent.fields.iter().find(|(name, _)| name == id);
        found.map_or("", |(_, value)| value)
    }
}

/// A form to be filled in.
pub(super) fn form(open: &OpenForm, typed: &Typed) -> String {
    let OpenForm { form, url, nonce } = open;
    let mut body = String::new();
    if !typed.wrong.is_empty() {
        let items: String =
            typed.wrong.iter().map(|it| format!("<li>{}</li>\n", escaped(it))).collect();
        body += &format!("<ul>\n{items}</ul>\n");
    }
    body +=
        &format!("<form action=\"{}\" method=\"post\" accept-charset=\"utf-8\">\n", escaped(url));
    for field in &form.fields {
        body += &labelled(field, typed.value(&field.id));
    }
    body += &format!(
        "<input type=\"hidden\" id=\"{NONCE}\" name=\"{NONCE}\" value=\"{nonce}\">\n\
         <p><input type=\"submit\" value=\"Send\"></p>\n</form>\n"
    );
    page(&form.title, &body)
}

/// That a form is in.
pub(super) fn taken(form: &Form, id: Uuid) -> String {
    let body = format!(
        "<p>Your answers were received. You can go back.</p>\n\
         <p>Submission <output id=\"submission_id\">{id}</output></p>\n"
    );
    page(&form.title, &body)
}

/// A page with one sentence.
pub(super) fn said(title: &str, what: &str) -> String {
    page(title, &format!("<p>{}</p>\n", escaped(what)))
}

fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

fn labelled(field: &Field, value: &str) -> String {
    let (id, label) = (escaped(&field.id), escaped(&field.label));
    let input = input(field, value);
    format!("<p><label for=\"{id}\">{label}</label><br>\n{input}</p>\n")
}

fn input(field: &Field, value: &str) -> String {
    let (id, value) = (escaped(&field.id), escaped(value));
    let required = if field.required { " required" } else { "" };
    let named = format!("id=\"{id}\" name=\"{id}\"{required}");
    let length = format!("maxlength=\"{}\"", field.length_max);
    let line = |kind: &str, bound: &str| {
        format!("<input type=\"{kind}\" {named} {bound} value=\"{value}\">")
    };
    match field.kind {
        FieldKind::Text => line("text", &length),
        FieldKind::Email => line("email", &length),
        FieldKind::Phone => line("tel", &length),
        // Neither of these has a length in HTML.
        FieldKind::Number => line("number", "step=\"any\""),
        FieldKind::Date => format!("<input type=\"date\" {named} value=\"{value}\">"),
        // The first line break is the tag's own.
        FieldKind::LongText => {
            format!("<textarea {named} {length} rows=\"4\">\n{value}</textarea>")
        }
        FieldKind::Choice => {
            let option = |text: &String| {
                let text = escaped(text);
                let selected = if text == value { " selected" } else { "" };
                format!("<option value=\"{text}\"{selected}>{text}</option>\n")
            };
            let options: String = field.options.iter().map(option).collect();
            format!("<select {named}>\n<option value=\"\">-</option>\n{options}</select>")
        }
    }
}

/// A text as HTML shows it, within a tag's quotes too. Control characters are not HTML's.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}
