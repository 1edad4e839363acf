// What the preload script gives to the page, and nothing more.

export interface Settings {
  clientId: string;
  gatewayUrl: string;
  /** Empty without one. */
  token: string;
}

export interface Desktop {
  settings(): Promise<Settings>;
  /** Keeps them, the token encrypted. The page has to load again: its policy names the gateway. */
  save(settings: Settings): Promise<void>;
  /** Tells of sleep and wake. */
  onPower(listener: (name: 'suspend' | 'resume') => void): void;
}
