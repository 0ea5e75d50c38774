//! The type of an exported function in words, for a person who has to find out what is wrong with it.

use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

/// How deep nested types are written out. Beyond it stands `…`: the reader looks for one difference, not for the whole.
const DEPTH_MAX: usize = 2;

/// Most cases or fields of one type that are written out; the guest controls how many there are.
const PARTS_MAX: usize = 16;

/// `func(context: record { sequence-number: u64, … }) -> …`.
pub(super) fn function(function: &ComponentFunc) -> String {
    let params = listed(function.params().map(|(name, param)| format!("{name}: {}", written(&param, 1))));
    let results = listed(function.results().map(|result| written(&result, 1)));
    let arrow = if results.is_empty() { "" } else { " -> " };
    let mark = if function.async_() { "async " } else { "" };
    format!("{mark}func({params}){arrow}{results}")
}

fn written(given: &Type, depth: usize) -> String {
    let inner = |part: &Type| if depth >= DEPTH_MAX { "…".to_owned() } else { written(part, depth + 1) };
    let optional = |part: Option<Type>| part.map_or("_".to_owned(), |part| inner(&part));
    match given {
        Type::Bool => "bool".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::List(list) => format!("list<{}>", inner(&list.ty())),
        Type::Option(option) => format!("option<{}>", inner(&option.ty())),
        Type::Result(result) => format!("result<{}, {}>", optional(result.ok()), optional(result.err())),
        Type::Tuple(tuple) => format!("tuple<{}>", listed(tuple.types().map(|part| inner(&part)))),
        Type::Record(record) => {
            let field = |field: wasmtime::component::types::Field<'_>| format!("{}: {}", field.name, inner(&field.ty));
            format!("record {{ {} }}", listed(record.fields().map(field)))
        }
        Type::Variant(variant) => format!("variant {{ {} }}", listed(variant.cases().map(|case| case.name.to_owned()))),
        Type::Enum(names) => format!("enum {{ {} }}", listed(names.names().map(str::to_owned))),
        Type::Flags(names) => format!("flags {{ {} }}", listed(names.names().map(str::to_owned))),
        Type::Own(_) => "own<resource>".to_owned(),
        Type::Borrow(_) => "borrow<resource>".to_owned(),
        _ => "a type that the contract does not use".to_owned(),
    }
}

fn listed(parts: impl ExactSizeIterator<Item = String>) -> String {
    let more = parts.len() > PARTS_MAX;
    let mut words: Vec<String> = parts.take(PARTS_MAX).collect();
    if more {
        words.push("…".to_owned());
    }
    words.join(", ")
}
