package mapping

// Deepest is how far rows set each other free at once.
var Deepest = &deepest
