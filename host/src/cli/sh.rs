//! `dsms sh`: a shell for the market, with history and completion.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::market::{Caller, OPERATION_FORMS, ShareType};
use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::runtime::client::Client;

use super::connect::{ConnectArgs, unexpected};
use super::output::say;

/// Commands of the shell itself.
const SHELL_COMMANDS: [&str; 4] = ["as", "help", "json", "quit"];

/// Lines of history that are kept.
const HISTORY_LEN_MAX: usize = 1000;

const HELP: &str = "\
as CALLER                               make the following requests as this admin or buyer
add-share SHARE-ID TYPE CAPACITY        admins, for shares of their own market
remove-share SHARE-ID TYPE              admins, for shares of their own market
list-share-availability TYPE            admins
purchase-share SHARE-ID TYPE COUNT      buyers, and admins with --buyer ID
get-shares                              buyers, and admins with --buyer ID
sell-share SHARE-ID COUNT               buyers, and admins with --buyer ID
swap-shares OLD-ID OLD-TYPE NEW-ID NEW-TYPE
json                                    switch between words and JSON
help, quit                              this text; the end (or Ctrl-D)

Ids look like NYKA1001 (admin), NYKB1001 (buyer) and NYKM100925 (share: market, then M, A or E, then ddmmyy);
types are Equity, Bonus, Dividend. Tab completes, the up key brings back earlier lines.";

/// Talk to the cluster line by line, with history (the up key), completion (Tab) and help.
#[derive(Debug, Args)]
pub struct ShArgs {
    /// Who asks, to begin with; `as CALLER` changes it.
    #[arg(long = "as", value_name = "CALLER")]
    caller: Option<String>,
    /// Print answers as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the command.
pub fn run(args: ShArgs) -> anyhow::Result<ExitCode> {
    let runtime = super::runtime().context("cannot start the runtime")?;
    let client = runtime.block_on(args.connect.client())?;
    let caller = args.caller.as_deref().map(read_caller).transpose().map_err(anyhow::Error::msg)?;
    let mut shell = Shell { client, caller, json: args.json };
    let config = Config::builder().completion_type(CompletionType::List).max_history_size(HISTORY_LEN_MAX)?.build();
    let mut editor: Editor<MarketHelper, DefaultHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(MarketHelper { hinter: HistoryHinter::new() }));
    let history = history_file();
    if let Some(history) = &history {
        let _first_time = editor.load_history(history);
    }
    say!("dsms shell: `help` lists what can be said, `quit` ends");
    loop {
        match editor.readline(&shell.prompt()) {
            Ok(line) => {
                let line = line.trim();
                if !line.is_empty() {
                    let _not_kept = editor.add_history_entry(line);
                }
                if matches!(line, "quit" | "exit") {
                    break;
                }
                runtime.block_on(shell.on_line(line));
            }
            // Ctrl-C gives up the line, as in other shells; Ctrl-D ends.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read from the terminal"),
        }
    }
    if let Some(history) = &history {
        let saved = editor.save_history(history);
        saved.with_context(|| format!("cannot keep the history in {}", history.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where lines are kept from one shell to the next: beside the user's other state, if there is a home at all.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let directory = state.join("dsms");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

fn read_caller(text: &str) -> Result<Caller, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is neither an admin id such as NYKA1001 nor a buyer id such as NYKB1001"))
}

struct Shell {
    client: Client,
    caller: Option<Caller>,
    json: bool,
}

impl Shell {
    fn prompt(&self) -> String {
        match &self.caller {
            Some(caller) => format!("{caller}> "),
            None => "dsms> ".to_owned(),
        }
    }

    async fn on_line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let first = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let words: Vec<&str> = [first.as_str()].into_iter().chain(words.into_iter().skip(1)).collect();
        match words.as_slice() {
            [comment, ..] if comment.is_empty() || comment.starts_with('#') => {}
            ["help" | "?"] => say!("{HELP}"),
            ["json"] => {
                self.json = !self.json;
                say!("answers come as {}", if self.json { "JSON" } else { "words" });
            }
            ["as", caller] => match read_caller(caller) {
                Ok(caller) => self.caller = Some(caller),
                Err(words) => say!("{words}"),
            },
            ["as", ..] => say!("as CALLER: an admin id such as NYKA1001 or a buyer id such as NYKB1001"),
            _ => self.request(&words).await,
        }
    }

    async fn request(&mut self, words: &[&str]) {
        // A line may name its own caller, as a line of a script does.
        let names_caller = words[0].parse::<Caller>().is_ok();
        let caller = match (names_caller, self.caller) {
            (true, _) => None,
            (false, Some(caller)) => Some(caller.to_string()),
            (false, None) => {
                say!("say first who asks, with `as CALLER`, for example `as NYKA1001`");
                return;
            }
        };
        let words = caller.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect();
        match self.client.call(|number| ClientMessage::Request { number, words }).await {
            Ok(ServerBody::Answer(answer)) if self.json => say!("{}", answer.to_json()),
            Ok(ServerBody::Answer(answer)) => say!("{answer}"),
            Ok(other) => say!("{:#}", unexpected(&other)),
            Err(error) => say!("no answer: {error}"),
        }
    }
}

/// Completes the word at the cursor from what the grammar allows at its place.
struct MarketHelper {
    hinter: HistoryHinter,
}

fn candidates(before: &[&str]) -> Vec<&'static str> {
    let words = match before {
        ["as", ..] => return Vec::new(),
        [first, rest @ ..] if first.parse::<Caller>().is_ok() => rest,
        words => words,
    };
    let Some((operation, given)) = words.split_first() else {
        let operations = OPERATION_FORMS.iter().map(|(name, _)| *name);
        return if before.is_empty() { operations.chain(SHELL_COMMANDS).collect() } else { operations.collect() };
    };
    let Some((_, fields)) = OPERATION_FORMS.iter().find(|(name, _)| name == operation) else { return Vec::new() };
    match fields.get(given.len()) {
        Some(&("type" | "old-type" | "new-type")) => ShareType::ALL.map(ShareType::name).to_vec(),
        Some(_) => Vec::new(),
        None => vec!["--buyer"],
    }
}

/// The word at the end of a line, empty after a space, and where it begins.
fn last_word(line: &str) -> (usize, &str) {
    let word = line.rsplit(char::is_whitespace).next().unwrap_or(line);
    (line.len() - word.len(), word)
}

impl Completer for MarketHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let line = &line[..position];
        let (start, typed) = last_word(line);
        let before: Vec<&str> = line[..start].split_whitespace().collect();
        let typed = typed.to_lowercase();
        let matching = candidates(&before).into_iter().filter(|word| word.to_lowercase().starts_with(&typed));
        let pair = |word: &str| Pair { display: word.to_owned(), replacement: format!("{word} ") };
        Ok((start, matching.map(pair).collect()))
    }
}

impl Hinter for MarketHelper {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, context: &Context<'_>) -> Option<String> {
        self.hinter.hint(line, position, context)
    }
}

impl Highlighter for MarketHelper {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if std::env::var_os("NO_COLOR").is_some() {
            return Cow::Borrowed(hint);
        }
        Cow::Owned(format!("\x1b[2m{hint}\x1b[m"))
    }
}

impl Validator for MarketHelper {}

impl Helper for MarketHelper {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(before: &str, expected: &[&str]) {
        let before: Vec<&str> = before.split_whitespace().collect();
        assert_eq!(candidates(&before), expected, "after {before:?}");
    }

    #[test]
    fn completion_offers_what_the_grammar_allows_at_that_place() {
        let operations: Vec<&str> = OPERATION_FORMS.iter().map(|(name, _)| *name).collect();
        check("", &[&operations[..], &SHELL_COMMANDS[..]].concat());
        check("NYKA1001", &operations);
        check("add-share", &[]);
        check("add-share NYKM100925", &["Equity", "Bonus", "Dividend"]);
        check("NYKB1001 swap-shares LONM100925 Equity TOKM100925", &["Equity", "Bonus", "Dividend"]);
        check("get-shares", &["--buyer"]);
        check("no-such-operation", &[]);
    }

    #[test]
    fn a_word_begins_after_any_space_however_many_bytes_that_has() {
        for space in [" ", "\t", "\u{a0}", "\u{3000}"] {
            let line = format!("add-share{space}NYKM");
            assert_eq!(last_word(&line), (line.len() - 4, "NYKM"));
            assert_eq!(last_word(&line[..line.len() - 4]), (line.len() - 4, ""));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_line_can_be_completed_at_any_place(line in r"(add-share|as|NYKA1001|\s|\PC){0,8}") {
            let helper = MarketHelper { hinter: HistoryHinter::new() };
            let history = DefaultHistory::new();
            for (position, _) in line.char_indices().chain([(line.len(), ' ')]) {
                let (start, _) = helper.complete(&line, position, &Context::new(&history)).unwrap();
                prop_assert!(line.is_char_boundary(start) && start <= position);
            }
        }
    }
}
