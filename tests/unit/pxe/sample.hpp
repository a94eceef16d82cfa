// SPDX-License-Identifier: Apache-2.0
/// \file
/// Targets that the tests of this folder share, and the comparison with files of tests/data/pxe.
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "core/error.hpp"
#include "pxe/boot_target.hpp"

namespace sample {

inline pxe::BootTarget target() {
  pxe::BootTarget t;
  t.node = "n001";
  t.cluster = "00112233445566778899aabbccddeeff";
  t.generation = 42;
  t.root = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  t.servers = {"http://10.0.0.1:8080/"};
  t.kernel_path = "objects/sha256/11/1111";
  t.initramfs_path = "objects/sha256/22/2222";
  t.keys_path = "objects/sha256/33/3333";
  t.kernel_arguments = {"console=ttyS0", "quiet"};
  return t;
}

/// Compares with a golden file. With UPDATE_GOLDEN=1 in the environment writes it instead and fails, so that nobody
/// mistakes that for a test.
inline void golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(PXE_DATA) + "/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    CHECK_MESSAGE(false, "wrote " << path);
    return;
  }
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path);
  CHECK_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

/// The cause of the Error that `work` throws; empty when it throws none.
template <class Work>
std::string refusal(Work&& work) {
  try {
    work();
  } catch (const core::Error& error) {
    CHECK(error.kind() == core::ErrorKind::refused);
    return error.what();
  }
  return {};
}

}  // namespace sample
