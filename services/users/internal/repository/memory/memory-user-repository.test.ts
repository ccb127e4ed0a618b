import { userRepositorySuite } from "../../model/user-repository.suite.ts";
import { MemoryUserRepository } from "./memory-user-repository.ts";

userRepositorySuite("the memory repository", async () => new MemoryUserRepository());
