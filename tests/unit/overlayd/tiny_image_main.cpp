// SPDX-License-Identifier: Apache-2.0
// usage: tiny_image STORE [NAME [TAG [CONTENT]]]: makes the store if needed, adds the tests' image, prints its id.
#include <iostream>

#include "core/error.hpp"
#include "tests/unit/overlayd/tiny_image.hpp"

int main(int argc, char** argv) {
  if (argc < 2 || argc > 5) {
    std::cerr << "usage: tiny_image STORE [NAME [TAG [CONTENT]]]\n";
    return 2;
  }
  try {
    tests::TinyImage image;
    if (argc > 2) image.name = argv[2];
    if (argc > 3) image.tag = argv[3];
    if (argc > 4) image.content = argv[4];
    std::cout << tests::add_tiny_image(core::store::ObjectStore::create(argv[1]), image).hex() << '\n';
    return 0;
  } catch (const core::Error& error) {
    std::cerr << error.render() << '\n';
    return error.exit_code();
  }
}
