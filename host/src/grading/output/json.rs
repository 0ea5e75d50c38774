//! `results.json`: everything.

use serde_json::{Value, json};

use super::Class;

/// The whole run as one JSON object.
pub fn value(class: &Class) -> Value {
    let module = |grade: &crate::grading::Grade| {
        let mut value = json!({
            "module": grade.name,
            "verdict": grade.verdict(),
            "score": grade.score,
        });
        if let (Value::Object(all), Ok(Value::Object(examined))) = (&mut value, serde_json::to_value(&grade.examined)) {
            all.extend(examined);
        }
        value
    };
    let names: Vec<&str> = class.asked.iter().map(|place| &*class.grades[*place].name).collect();
    json!({
        "format": crate::grading::FORMAT,
        "settings": class.settings,
        "modules": class.grades.iter().map(module).collect::<Vec<Value>>(),
        "coincident-failures": { "modules": names, "matrix": class.matrix },
        "best-trio": class.trio,
    })
}
