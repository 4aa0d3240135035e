// How things are laid out: flags over OFREP through OpenFeature's web SDK, and their changes live.

import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

const LAYOUTS = {
  home: { flag: "layout-home", fallback: "grid" },
  onboarding: { flag: "layout-onboarding", fallback: "grid" },
  sidebar: { flag: "layout-sidebar", fallback: "compact" },
};

export class Flags {
  #client = OpenFeature.getClient();

  static async connect(root, writeKey, userId) {
    await OpenFeature.setContext({ targetingKey: userId });
    const baseUrl = root.href.replace(/\/$/, "");
    const headers = [["X-API-Key", writeKey]];
    const provider = new OFREPWebProvider({ baseUrl, headers, cacheMode: "disabled" });
    // Without flags the page goes on with what stands in it.
    await OpenFeature.setProviderAndWait(provider).catch(() => {});
    return new Flags();
  }

  become(userId) {
    return OpenFeature.setContext({ targetingKey: userId }).catch(() => {});
  }

  whenChanged(handler) {
    this.#client.addHandler(ProviderEvents.ConfigurationChanged, handler);
  }

  layout(placement) {
    const { flag, fallback } = LAYOUTS[placement];
    const { value, flagMetadata } = this.#client.getStringDetails(flag, fallback);
    const { experimentId, variant } = flagMetadata ?? {};
    return { flag, value, experiment: experimentId && { experiment_id: experimentId, variant } };
  }
}
