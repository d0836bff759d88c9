mod filters;
mod ring;
