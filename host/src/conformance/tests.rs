//! Examinations of the reference module, and of modules that are wrong in one way each.
