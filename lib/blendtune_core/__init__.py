"""The arithmetic of the method: pure functions of numbers and of the API's types, without any I/O."""
