//! What is wrong with a file, and how it is shown: a caret under the YAML for people, JSON for machines.

use std::{fmt, io::IsTerminal};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file works, but probably not as meant.
    Warning,
}

/// One thing that is wrong. Holds no secret: messages name keys, and the line is masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// From 1; 0 where the problem has no place in the file.
    pub line: usize,
    /// In characters, from 1; 0 where the problem has no place in the file.
    pub column: usize,
    /// Keys from the top, with dots (`routes.big-deals.on`); empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The line of the file it is about.
    #[serde(skip)]
    pub(super) shown: Option<ShownLine>,
}

/// A line of the file, masked, and the bytes of it that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownLine {
    pub(super) text: String,
    pub(super) caret: std::ops::Range<usize>,
}

impl ShownLine {
    /// The caret's bytes, widened to whole characters of the line.
    fn whole_characters(&self) -> std::ops::Range<usize> {
        let start = self.text.floor_char_boundary(self.caret.start);
        let end = self.text.ceil_char_boundary(self.caret.end);
        start..end.max(start)
    }
}

/// All that is wrong with a file, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: String, mut list: Vec<Problem>) -> Self {
        in_order(&mut list);
        Self { file, list }
    }

    /// Something that is not as meant and has no place in the file.
    pub fn warn(&mut self, message: String, hint: String) {
        let problem = Problem {
            severity: Severity::Warning,
            line: 0,
            column: 0,
            path: String::new(),
            message,
            hint: Some(hint),
            shown: None,
        };
        self.list.push(problem);
        in_order(&mut self.list);
    }

    /// In the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many make the file unusable.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many do not.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// `3 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let counted = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{count} {word}s")),
        };
        let parts: Vec<_> = [
            counted(self.errors(), "error"),
            counted(self.warnings(), "warning"),
        ]
        .into_iter()
        .flatten()
        .collect();
        parts.join(", ")
    }

    /// With a caret under the YAML, in colours.
    pub fn render_coloured(&self) -> String {
        self.render(&Renderer::styled().decor_style(DecorStyle::Ascii))
    }

    /// For standard error: in colours when that is a terminal.
    pub fn render_for_terminal(&self) -> String {
        if std::io::stderr().is_terminal() {
            self.render_coloured()
        } else {
            self.to_string()
        }
    }

    /// A list of `{severity, line, column, path, message, hint}`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.list)
    }

    fn count(&self, severity: Severity) -> usize {
        self.list
            .iter()
            .filter(|it| it.severity == severity)
            .count()
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut text = String::new();
        for problem in &self.list {
            text.push_str(&self.file);
            if problem.line > 0 {
                // Not left to the renderer, which would count columns in the masked line.
                text.extend([
                    ":",
                    &problem.line.to_string(),
                    ":",
                    &problem.column.to_string(),
                ]);
            }
            text.push('\n');
            text.push_str(&renderer.render(&[problem.group()]));
            text.push_str("\n\n");
        }
        text
    }
}

fn in_order(list: &mut [Problem]) {
    list.sort_by_key(|it| (it.line, it.column, it.severity));
}

impl Problem {
    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&self.message));
        if let Some(shown) = &self.shown {
            group = group.element(
                Snippet::source(&shown.text)
                    .line_start(self.line)
                    .annotation(AnnotationKind::Primary.span(shown.whole_characters())),
            );
        }
        match &self.hint {
            Some(hint) => group.element(Level::HELP.message(hint)),
            None => group,
        }
    }
}

impl fmt::Display for Problems {
    /// With a caret under the YAML, without colours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain().decor_style(DecorStyle::Ascii)))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_covers_whole_characters() {
        let shown = |caret| ShownLine {
            text: "- \u{e9}o: 1".to_owned(),
            caret,
        };
        assert_eq!(shown(2..3).whole_characters(), 2..4);
        assert_eq!(shown(3..3).whole_characters(), 2..4);
        assert_eq!(shown(2..99).whole_characters(), 2..8);
    }
}
